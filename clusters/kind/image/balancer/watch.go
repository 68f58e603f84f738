package main

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// watch sends whenever a file in the folders of the given ones was replaced or
// written, or why it no longer can tell. It watches folders, as a file that is
// replaced by a rename is another one.
func watch(files ...string) (<-chan error, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	for _, file := range files {
		if _, err := unix.InotifyAddWatch(fd, filepath.Dir(file), unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE); err != nil {
			return nil, fmt.Errorf("watching %s: %w", filepath.Dir(file), err)
		}
	}
	changes := make(chan error, 1)
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			if _, err := unix.Read(fd, buffer); err != nil && err != unix.EINTR {
				changes <- err
				return
			}
			select {
			case changes <- nil:
			default: // one is waiting to be seen, and the files are read after it is
			}
		}
	}()
	return changes, nil
}

package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// profile writes a processor profile of this process, and its heap at the end,
// to FILE and FILE.heap. With no file it does nothing.
type profile struct {
	path string
	file *os.File
}

// start begins the processor profile, unless it has begun.
func (p *profile) start() error {
	if p.path == "" || p.file != nil {
		return nil
	}
	f, err := os.Create(p.path)
	if err != nil {
		return err
	}
	p.file = f
	return pprof.StartCPUProfile(f)
}

// stop ends it, if it has begun, and writes the heap's.
func (p *profile) stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	err := p.file.Close()
	heap, cannot := os.Create(p.path + ".heap")
	p.file, p.path = nil, ""
	if cannot != nil {
		return errors.Join(err, cannot)
	}
	runtime.GC() // what is alive, not what waits for the collector
	return errors.Join(err, pprof.WriteHeapProfile(heap), heap.Close())
}

package supervise

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// The test's own executable plays every process of these tests: supervisors,
// which Start runs from it, storms to be killed, and the supervised processes.
func TestMain(m *testing.M) {
	RunIfAsked()
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			if err := role(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

var roles = map[string]func(args []string) error{
	"role-idle":     idle,
	"role-stubborn": stubborn,
	"role-fail":     func([]string) error { return errors.New("on purpose") },
	"role-env":      printEnv,
	"role-echo":     echo,
	"role-talk":     talk,
	"role-storm":    stormToBeKilled,
}

// idle says that it runs, and runs until it is killed or told to end.
func idle([]string) error {
	// Said once it can be asked: a signal that came before would kill it.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("running")
	<-c
	fmt.Println("asked to end")
	return nil
}

// stubborn does not end when asked.
func stubborn([]string) error {
	// Taken and dropped rather than ignored: a program that waits for nothing
	// at all is ended by the Go runtime as a deadlock, where there is no cgo.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("running")
	for range c {
	}
	return nil
}

func printEnv([]string) error {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
	return nil
}

// echo listens on an address and sends every line back.
func echo(args []string) error {
	l, err := net.Listen("tcp4", args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn, conn)
		}()
	}
}

// talk asks an address, over a new connection each time, and says whether it
// was answered.
func talk(args []string) error {
	for {
		answer := "lost"
		conn, err := net.DialTimeout("tcp4", args[0], 50*time.Millisecond)
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := conn.Write([]byte("?")); err == nil {
				if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
					answer = "answered"
				}
			}
			conn.Close()
		}
		fmt.Println(answer)
		time.Sleep(time.Millisecond)
	}
}

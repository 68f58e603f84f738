package kind

import (
	"context"
	"testing"
)

func TestTellingsAreWaitedFor(t *testing.T) {
	var all tellings
	all.wait(t.Context()) // for none
	told := false
	end := all.begin()
	go func() {
		told = true
		end()
	}()
	if all.wait(t.Context()); !told {
		t.Error("it was not waited for")
	}
	defer all.begin()()
	given, up := context.WithCancel(t.Context())
	up()
	all.wait(given) // which does not wait for what nobody tells
}

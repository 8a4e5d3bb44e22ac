package sop

import "sync/atomic"

// gate bounds how many calls are inside the library at once. Each of them may wait for the disk and then holds a thread of
// the operating system; the Go runtime ends a program that has ten thousand.
type gate struct {
	inside atomic.Int32 // and those who wait
	max    int32
	tokens chan struct{}
}

const (
	callsMax     = 256 // short calls: reads, changes, commits
	longCallsMax = 64  // backups and the like, whose callbacks may make short calls
	logCallsMax  = 64  // waiting for messages
)

var (
	calls     = newGate(callsMax)
	longCalls = newGate(longCallsMax)
	logCalls  = newGate(logCallsMax)
)

func newGate(most int32) *gate {
	return &gate{max: most, tokens: make(chan struct{}, most)}
}

func (g *gate) enter() {
	if g.inside.Add(1) > g.max {
		<-g.tokens
	}
}

func (g *gate) leave() {
	if g.inside.Add(-1) >= g.max {
		g.tokens <- struct{}{}
	}
}

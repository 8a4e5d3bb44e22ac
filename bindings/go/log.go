package sop

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"
)

// LogMessage is a message about what the library does. It never has a key, a value or a secret.
type LogMessage struct {
	Level slog.Level
	Time  time.Time
	Text  string
	Lost  int // messages dropped before this one because nobody took them
}

// The order of levels of the library, which begin with off.
var logLevels = [...]slog.Level{slog.LevelError + 1, slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}

// LogEnable records the messages from a level on, the newest 256 of them, for [DB.LogNext]. A level above [slog.LevelError]
// records none.
func (db *DB) LogEnable(level slog.Level) error {
	if err := db.opened(); err != nil {
		return err
	}
	e := newErr()
	defer keep(db)
	return check(C.sop_log_enable(db.h.c, cLevel(level), e), e)
}

func cLevel(level slog.Level) C.sop_log_level {
	switch {
	case level > slog.LevelError:
		return C.SOP_LOG_OFF
	case level > slog.LevelWarn:
		return C.SOP_LOG_ERROR
	case level > slog.LevelInfo:
		return C.SOP_LOG_WARNING
	case level > slog.LevelDebug:
		return C.SOP_LOG_INFO
	}
	return C.SOP_LOG_DEBUG
}

// logWait bounds one wait for a message in the library, so that a context that ends is noticed.
const logWait = 100 * time.Millisecond

// LogNext waits for the oldest recorded message and takes it. The error is that of the context, or [ErrClosed] once the
// database is closed.
func (db *DB) LogNext(ctx context.Context) (LogMessage, error) {
	if err := db.opened(); err != nil {
		return LogMessage{}, err
	}
	if err := alive(ctx); err != nil {
		return LogMessage{}, err
	}
	defer keep(db)
	for ctx.Err() == nil {
		message, err := db.h.logNext(logWait)
		if !errors.Is(err, ErrNotFound) {
			return message, err
		}
	}
	return LogMessage{}, ended(ctx, "no message was waited for any longer")
}

// logNext needs no more than the handle, so that who waits for messages does not keep a forgotten database open.
func (h *dbHandle) logNext(wait time.Duration) (LogMessage, error) {
	e := newErr()
	c := C.sop_log_message{struct_size: C.sizeof_sop_log_message}
	logCalls.enter()
	status := C.sop_log_next(h.c, &c, C.int64_t(wait.Milliseconds()), e)
	logCalls.leave()
	keep(h)
	if status != C.SOP_OK {
		return LogMessage{}, fromC(e)
	}
	message := LogMessage{Time: time.Unix(0, int64(c.time_ns)), Text: C.GoString(&c.text[0]), Lost: int(c.lost)}
	if int(c.level) < len(logLevels) {
		message.Level = logLevels[c.level]
	}
	return message, nil
}

// LogTo hands the messages from a level on to a logger until the database is closed. A message over which the logger panics is
// lost.
func (db *DB) LogTo(logger *slog.Logger, level slog.Level) error {
	if logger == nil {
		return fault(StatusMisuse, "there is no logger; to stop logging use LogEnable with a level above slog.LevelError")
	}
	if err := db.LogEnable(level); err != nil {
		return err
	}
	// The pump keeps the handle, whose finalizer cannot run then: closing ends the pump.
	runtime.SetFinalizer(db, nil)
	runtime.SetFinalizer(db, func(db *DB) { go db.Close() })
	go pump(db.h, logger)
	return nil
}

func pump(h *dbHandle, logger *slog.Logger) {
	for {
		message, err := h.logNext(logWait)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil { // closed
			return
		}
		message.hand(logger)
	}
}

// hand gives a message to a logger. A panic must not end the program: no function of the program's could recover from it.
func (m *LogMessage) hand(logger *slog.Logger) {
	defer func() { _ = recover() }()
	record := slog.NewRecord(m.Time, m.Level, m.Text, 0)
	if m.Lost > 0 {
		record.AddAttrs(slog.Int("lost", m.Lost))
	}
	ctx := context.Background()
	if logger.Enabled(ctx, m.Level) {
		_ = logger.Handler().Handle(ctx, record) // there is nobody to tell
	}
}

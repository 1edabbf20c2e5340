// Package sql asks SQL databases for scripts and bounds what comes of it: the
// time, the connections, rows and bytes of an answer. Values come with
// parameters only, and are told in the plain values of Lua (value.go).
//
// It knows PostgreSQL, by pgx, and SQLite, built into the program. It does not
// know Lua. Start reading at DB.Query; postgres.go and sqlite.go are what is
// different about each.
package sql

import (
	"context"
	gosql "database/sql"
	"errors"
	"fmt"
	"time"
)

// The drivers there are.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// Config is one database. Driver and DSN are required.
type Config struct {
	Driver string
	// DSN is a URL or key=value words for Postgres, the path of the file for
	// SQLite.
	DSN         string
	Timeout     time.Duration // of one statement, from the wait for a connection to the last row; default 2 s
	Connections int           // at most; default 10
}

// Bounds of an answer.
const (
	maxRows  = 10_000
	maxBytes = 4 << 20
)

// ErrTooLarge is an answer beyond the bounds.
var ErrTooLarge = errors.New("too large")

// A DB may be used from any goroutine.
type DB struct {
	db      *gosql.DB
	timeout time.Duration
	// ready is done to a connection each time before it is used; nil: nothing.
	ready func(conn *gosql.Conn) error
}

// Answer is what a statement said.
type Answer struct {
	Columns []string
	Rows    [][]any // nil, bool, float64 or string
}

// Open makes a DB. It connects when it is asked something.
func Open(c Config) (*DB, error) {
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Connections <= 0 {
		c.Connections = 10
	}
	d := &DB{timeout: c.Timeout}
	var err error
	switch c.Driver {
	case Postgres:
		d.db, err = openPostgres(c)
	case SQLite:
		d.db, err = openSQLite(c)
		d.ready = limitSQLite
	default:
		err = fmt.Errorf("unknown driver %q", c.Driver)
	}
	if err != nil {
		return nil, err
	}
	d.db.SetMaxOpenConns(c.Connections)
	d.db.SetMaxIdleConns(c.Connections)
	d.db.SetConnMaxIdleTime(5 * time.Minute)
	d.db.SetConnMaxLifetime(time.Hour)
	return d, nil
}

// Close ends the connections.
func (d *DB) Close() { _ = d.db.Close() } // nobody is left to care

// Query asks one statement, with values (nil, bool, float64 or string) for its
// parameters, and reads all rows, or none: more than maxRows or maxBytes are an
// error. At the end of ctx the server is told to stop.
func (d *DB) Query(ctx context.Context, statement string, values []any) (*Answer, error) {
	var a *Answer
	err := d.ask(ctx, func(ctx context.Context, conn *gosql.Conn) (err error) {
		a, err = query(ctx, conn, statement, values)
		return err
	})
	return a, err
}

// Exec does one statement and tells how many rows it changed.
func (d *DB) Exec(ctx context.Context, statement string, values []any) (changed int64, err error) {
	err = d.ask(ctx, func(ctx context.Context, conn *gosql.Conn) error {
		done, err := conn.ExecContext(ctx, statement, parameters(values)...)
		if err == nil {
			changed, err = done.RowsAffected()
		}
		return err
	})
	return changed, err
}

func (d *DB) ask(ctx context.Context, f func(ctx context.Context, conn *gosql.Conn) error) error {
	bound, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := d.db.Conn(bound)
	if err == nil {
		if d.ready != nil {
			err = d.ready(conn)
		}
		if err == nil {
			err = f(bound, conn)
		}
		_ = conn.Close() // which only gives it back
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case bound.Err() != nil:
		return fmt.Errorf("no answer within %v: %w", d.timeout, context.DeadlineExceeded)
	}
	return reveal(err)
}

func query(ctx context.Context, conn *gosql.Conn, statement string, values []any) (*Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := conn.QueryContext(ctx, statement, parameters(values)...)
	if err != nil {
		return nil, err
	}
	a, err := read(rows)
	if err != nil {
		cancel() // or Close would read what is left
	}
	return a, errors.Join(err, ignoreCancelled(rows.Close(), err))
}

// ignoreCancelled leaves the first error alone: that of Close comes from it.
func ignoreCancelled(closing, first error) error {
	if first != nil {
		return nil
	}
	return closing
}

func read(rows *gosql.Rows) (*Answer, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	a, bytes := &Answer{}, 0
	row, at := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		a.Columns = append(a.Columns, t.Name())
		at[i] = &row[i]
	}
	for rows.Next() {
		if len(a.Rows) == maxRows {
			return nil, fmt.Errorf("%w: the answer has more than %d rows", ErrTooLarge, maxRows)
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		told := make([]any, len(row))
		for i, v := range row {
			if told[i], err = tell(v, types[i].DatabaseTypeName()); err != nil {
				return nil, fmt.Errorf("column %s: %w", a.Columns[i], err)
			}
			bytes += size(told[i])
		}
		if bytes > maxBytes {
			return nil, fmt.Errorf("%w: the answer has more than %d bytes", ErrTooLarge, maxBytes)
		}
		a.Rows = append(a.Rows, told)
	}
	return a, rows.Err()
}

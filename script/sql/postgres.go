package sql

import (
	"context"
	gosql "database/sql"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
)

// errDSN does not show the DSN: there may be a password in it.
var errDSN = errors.New("not an address like postgres://user:password@host:5432/database?sslmode=require")

// CheckPostgres tells whether a DSN could be one of Postgres.
func CheckPostgres(dsn string) error {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return errDSN
	}
	return nil
}

func openPostgres(c Config) (*gosql.DB, error) {
	p, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, errDSN
	}
	p.ConnectTimeout = c.Timeout
	p.MaxProtocolMessageBodyLen = maxBytes
	// A statement that nobody waits for is stopped at the server too.
	p.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 200 * time.Millisecond}
	}
	dial := p.DialFunc
	p.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		return dial(ctx, network, addr)
	}
	return stdlib.OpenDB(*p), nil
}

// reveal keeps of an error what a script may see: what the server said, or what
// the network met, without user, host and database.
func reveal(err error) error {
	var said *pgconn.PgError
	var long *pgproto3.ExceededMaxBodyLenErr
	var connecting *pgconn.ConnectError
	switch {
	case errors.As(err, &said):
		return fmt.Errorf("%s (SQLSTATE %s)", said.Message, said.Code)
	case errors.As(err, &long):
		return fmt.Errorf("%w: one value has more than %d bytes", ErrTooLarge, maxBytes)
	case errors.As(err, &connecting):
		return &hidden{"it can't be reached", err}
	}
	return err
}

// hidden is an error whose own text is not for everyone.
type hidden struct {
	text  string
	cause error
}

func (e *hidden) Error() string { return e.text }
func (e *hidden) Unwrap() error { return e.cause }

package sql

import (
	"context"
	gosql "database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"strconv"

	"modernc.org/sqlite"
)

// lengthLimit is SQLITE_LIMIT_LENGTH, which bounds a text, a blob and a row.
const lengthLimit = 0

// openSQLite opens a file, and makes it if it is not there. Readers do not wait
// for a writer (WAL); a writer waits for another one as long as a statement may
// take.
func openSQLite(c Config) (*gosql.DB, error) {
	if c.DSN == "" {
		return nil, errors.New("no file")
	}
	options := url.Values{"_pragma": {
		"busy_timeout(" + strconv.FormatInt(c.Timeout.Milliseconds(), 10) + ")", "journal_mode(WAL)", "synchronous(NORMAL)",
	}}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: c.DSN}).EscapedPath(), RawQuery: options.Encode()}
	connector, err := sqlite.NewConnector(file.String())
	if err != nil {
		return nil, err
	}
	return gosql.OpenDB(fenced{connector}), nil
}

// limitSQLite bounds what one expression can make.
func limitSQLite(conn *gosql.Conn) error {
	_, err := sqlite.Limit(conn, lengthLimit, maxBytes)
	return err
}

// fenced connections reach one file and no other: a script has no disk.
type fenced struct{ driver.Connector }

// Connect implements driver.Connector.
func (f fenced) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	guarded, ok := conn.(sqlite.AuthorizerRegisterer)
	if !ok {
		return nil, errors.Join(errors.New("this SQLite takes no authorizer"), conn.Close())
	}
	if err := guarded.RegisterAuthorizer(allowed); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// allowed refuses ATTACH, which VACUUM INTO is too, and PRAGMA, which can undo
// what protects the file.
func allowed(action sqlite.AuthorizerActionCode, _, _, _, _ string) sqlite.AuthorizerReturnCode {
	if action == sqlite.AuthAttach || action == sqlite.AuthDetach || action == sqlite.AuthPragma {
		return sqlite.AuthorizerDeny
	}
	return sqlite.AuthorizerOK
}

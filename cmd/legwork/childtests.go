package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"legwork/script"
	"legwork/script/luatest"
)

// childLimit bounds the tests before a reload.
const childLimit = 2 * time.Minute

// maxTold bounds the failed tests that a reload names.
const maxTold = 20

// childTests runs the scripts' tests before a reload: in a process of its own
// (exe is this program), because virtual time takes a whole process. What is
// tested is what the configuration's folder holds now. Without a configuration
// the scripts are those in the program, which do not change: nil, no tests.
//
// The error is script.Problems when tests fail: one for each.
func childTests(exe, configPath string) func(ctx context.Context, s *script.Snapshot) error {
	if configPath == "" {
		return nil
	}
	return func(ctx context.Context, s *script.Snapshot) error {
		args := []string{"test", "-c", configPath, "--json"}
		folder := ""
		if files := s.Deployed(); files != nil {
			var err error
			if folder, err = unpack(files); err != nil {
				return err
			}
			defer os.RemoveAll(folder)
			args = append(args, "--folder", folder)
		}
		ctx, cancel := context.WithTimeout(ctx, childLimit)
		defer cancel()
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, exe, args...)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 5*time.Second
		err := cmd.Run()
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: they take longer than %s or are no longer wanted", childLimit)
		}
		if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 1 {
			return failedTests(out.Bytes(), folder)
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
		}
		return nil
	}
}

// unpack writes scripts that are in no folder into one of their own.
func unpack(files fs.FS) (string, error) {
	folder, err := os.MkdirTemp("", "legwork-test-")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(folder, files); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

// failedTests reads the child's report. Files are named from a folder, if one is
// given.
func failedTests(report []byte, folder string) error {
	var told struct {
		Tests []luatest.Result `json:"tests"`
	}
	if err := json.Unmarshal(report, &told); err != nil {
		return fmt.Errorf("read their report: %w", err)
	}
	var problems script.Problems
	for _, one := range told.Tests {
		f := one.Failure
		if f == nil {
			continue
		}
		if len(problems) == maxTold {
			return append(problems, script.Problem{Msg: "more tests fail; legwork test lists them"})
		}
		file, err := filepath.Abs(f.File)
		if err != nil {
			file = f.File
		}
		if within, err := filepath.Rel(folder, file); folder != "" && err == nil && filepath.IsLocal(within) {
			file = within
		}
		problems = append(problems, script.Problem{
			File: file, Line: f.Line, Msg: fmt.Sprintf("test %q: %s", one.Name, f.Message),
			Traceback: strings.Join(append(append([]string{f.Traceback}, one.Errors...), f.Ladders...), "\n"),
		})
	}
	if len(problems) == 0 {
		return errors.New("some failed and the report does not say which")
	}
	return problems
}

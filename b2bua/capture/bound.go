package capture

import (
	"cmp"
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// bounded copies a record within the limits of a ring.
func bounded(r *b2bua.Record) *b2bua.Record {
	kept := *r
	for _, text := range []*string{
		&kept.From, &kept.To, &kept.CallID, &kept.Source, &kept.Target, &kept.Reason, &kept.Script,
	} {
		*text = clip(*text)
	}
	if weight(kept.Fields) > maxFields {
		kept.Fields = nil
	}
	kept.Attempts = slices.Clone(kept.Attempts[:min(len(kept.Attempts), maxLegs)])
	for i := range kept.Attempts {
		a := &kept.Attempts[i]
		a.Target, a.Reason = clip(a.Target), clip(a.Reason)
	}
	kept.Notes = slices.Clone(kept.Notes)
	for i := range kept.Notes {
		kept.Notes[i] = clip(kept.Notes[i])
	}
	return &kept
}

// clip copies a text, so that the message it comes from is let go, and bounds
// it.
func clip(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Clone(s)
}

// phrase is a reason phrase without memory of its own where it is the usual one.
func phrase(code int, reason string) string {
	if code == 0 {
		return ""
	}
	if usual := message.ReasonPhrase(code); usual == reason {
		return usual
	}
	return clip(reason)
}

// known is a method without memory of its own where it is a usual one.
func known(method string) string {
	for _, m := range [...]string{
		"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY", "MESSAGE", "SUBSCRIBE",
	} {
		if m == method {
			return m
		}
	}
	return clip(method)
}

// weight estimates the bytes of a record's fields and stops counting when they
// are too many.
func weight(v any) int {
	total := 16
	switch v := v.(type) {
	case string:
		total += len(v)
	case []any:
		for _, one := range v {
			if total += weight(one); total > maxFields {
				break
			}
		}
	case map[string]any:
		for name, one := range v {
			if total += len(name) + weight(one); total > maxFields {
				break
			}
		}
	}
	return total
}

func sortNewest(calls []Summary) {
	slices.SortStableFunc(calls, func(a, b Summary) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.ID, b.ID))
	})
}

// boundedEdits copies edits within the limits of a ring.
func boundedEdits(list []b2bua.Edit) []b2bua.Edit {
	kept := slices.Clone(list[:min(len(list), maxEdits)])
	for i := range kept {
		e := &kept[i]
		if len(e.Name) > maxText {
			e.Name = clip(e.Name)
		}
		if e.Value = message.MaskField(e.Name, e.Value); len(e.Value) > maxText {
			e.Value = clip(e.Value)
		}
	}
	return kept
}

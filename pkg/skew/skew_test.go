package skew

import (
	"net/http"
	"testing"
	"time"
)

func TestSkew(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	here := func() time.Time { return noon }
	s := New(here)
	for _, tt := range []struct {
		date string
		want time.Duration
	}{
		{"", 0},
		{noon.Add(-time.Second).Format(http.TimeFormat), 0},
		{noon.Add(40 * time.Second).Format(http.TimeFormat), 40 * time.Second},
		{noon.Add(30 * time.Second).Format(http.TimeFormat), 40 * time.Second}, // a slow answer
	} {
		if s.see(tt.date); s.Get() != tt.want {
			t.Errorf("after %q: %s, want %s", tt.date, s.Get(), tt.want)
		}
	}
	behind := New(here)
	if behind.see(noon.Add(-time.Minute).Format(http.TimeFormat)); behind.Get() != -time.Minute {
		t.Error(behind.Get())
	}
	if (*Skew)(nil).Get() != 0 {
		t.Error("a client without one has a skew")
	}
}

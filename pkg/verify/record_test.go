package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A recording that a judgement would stumble over is refused with what is wrong in it.
func TestReadRecordingsRefuses(t *testing.T) {
	good := &Client{ObjectRef: ObjectRef{Kind: "Pod", Namespace: "web", Name: "web-1"}, Ephemeral: true, Container: "web/web-1/app"}
	cases := []struct {
		name   string
		client *Client
		want   string
	}{
		{"an ephemeral client in its container", good, ""},
		{"a client without a container for commands", &Client{ObjectRef: good.ObjectRef}, ""},
		{"an ephemeral client in no container", &Client{ObjectRef: good.ObjectRef, Ephemeral: true}, "client.container"},
		{"a container that is none", &Client{ObjectRef: good.ObjectRef, Container: "app"}, "client.container"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			jc := judgeCase{}
			r := &Recording{Snapshot: *jc.snapshot(t)}
			r.Client = tc.client
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			all, err := ReadRecordings(bytes.NewReader(data))
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want == "":
				all[0].Judge()
			case err == nil || !strings.Contains(err.Error(), tc.want):
				t.Errorf("error %v, want one about %s", err, tc.want)
			}
		})
	}
}

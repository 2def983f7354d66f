package apply

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// withLog adds the last line of a crashed container's log to what is wrong. It
// leaves the error as it is where the log cannot be read.
func (c *Client) withLog(ctx context.Context, e *StuckError, namespace, container string) error {
	if container == "" || e.Pod == "" || c.core == nil {
		return e
	}
	const (
		patience = 5 * time.Second
		lines    = int64(3)
		most     = int64(4096)
	)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	data, err := c.core.Pods(namespace).GetLogs(e.Pod, &corev1.PodLogOptions{
		Container: container, Previous: true, TailLines: new(lines), LimitBytes: new(most)}).DoRaw(ctx)
	if err != nil {
		return e
	}
	text := strings.TrimSpace(string(data))
	if last := plain(text[strings.LastIndexByte(text, '\n')+1:]); last != "" {
		e.Message += "; its last words: " + last
	}
	return e
}

package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// askRedis wants PONG for PING, and learns the server's run_id, version and role, what a
// read says, and what it says of its room for writes.
//
// It talks as applications do, by go-redis, over a connection that has been
// opened before: what kept it from opening is for the network's rules to tell.
func askRedis(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	if a.probe.TLS {
		if conn, err = a.startTLS(ctx, conn); err != nil {
			return err
		}
	}
	r := &redisPeer{a: a, conn: &respConn{Conn: conn}}
	client := redis.NewClient(&redis.Options{
		Dialer:                   r.dial,
		Protocol:                 2,
		MaxRetries:               -1,
		DialerRetries:            1,
		PoolSize:                 1,
		ContextTimeoutEnabled:    true,
		ReadTimeout:              -2, // the connection ends with ctx
		WriteTimeout:             -2,
		ReadBufferSize:           2048,
		WriteBufferSize:          1024,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer client.Close()
	r.client = client.Conn()
	defer r.client.Close()
	return r.ask(ctx)
}

type redisPeer struct {
	a      *attempt
	client *redis.Conn
	conn   *respConn
}

// dial hands the client the connection that is there; it gets no other.
func (r *redisPeer) dial(context.Context, string, string) (net.Conn, error) {
	if r.conn.taken.Swap(true) {
		return nil, net.ErrClosed
	}
	return r.conn, nil
}

func (r *redisPeer) ask(ctx context.Context) error {
	// All at once: of thousands of servers asked, each costs one way there and back.
	all := r.client.Pipeline()
	login := r.login(ctx, all)
	ping := all.Ping(ctx)
	info := all.Info(ctx, "server")
	role := all.Do(ctx, "ROLE")
	// PING is answered also by who refuses all else.
	read := all.Exists(ctx, "svcx")
	replication := all.Info(ctx, "replication")
	memory := all.Info(ctx, "memory")
	_, _ = all.Exec(ctx)
	if errors.Is(r.conn.broken, errAnnounced) {
		return r.a.badAnswer("RESP")
	}
	var refused redis.Error
	if login != nil && errors.As(login.Err(), &refused) {
		return r.failure(login.Err())
	}
	// An error of the connection marks all that was asked, also what was answered.
	if ping.Val() != "PONG" {
		if err := ping.Err(); err != nil {
			return r.withheld(r.failure(err))
		}
		return r.a.badAnswer("PONG")
	}
	r.a.detail = "PONG"
	// What follows is beside the answer: a server that refuses it to this user
	// has still answered.
	r.a.backend = infoField(info.Val(), "run_id")
	r.a.fact("version", infoField(info.Val(), "redis_version"))
	r.role(role)
	r.read(ctx, read)
	r.room(replication.Val(), memory.Val())
	return nil
}

// login asks to be let in when the probe names a password variable that is set.
// Without a password the server is asked all the same: its answer tells whether it
// wants one, and that it is a Redis. The client is not told the password: what it
// opens with (HELLO) lets one through that the server has not got.
func (r *redisPeer) login(ctx context.Context, all redis.Pipeliner) *redis.Cmd {
	p, o := r.a.probe, r.a.opts
	if p.PasswordEnv == "" {
		return nil
	}
	password := o.Getenv(p.PasswordEnv)
	if password == "" {
		if o.Withheld == "" {
			from := p.PasswordFrom
			if from == "" {
				from = p.PasswordEnv
			}
			r.a.fact("auth", "no password in "+from)
		}
		return nil
	}
	r.a.hide(password)
	args := []any{"AUTH"}
	if p.UsernameEnv != "" {
		if user := o.Getenv(p.UsernameEnv); user != "" {
			args = append(args, user)
		}
	}
	return all.Do(ctx, append(args, password)...)
}

// failure sorts an error of the client: what the server said in its protocol, what
// was no such protocol, or what became of the connection.
func (r *redisPeer) failure(err error) error {
	var refused redis.Error
	if errors.As(err, &refused) {
		return seen(ClassErrorReply, withoutArgs("-"+refused.Error()))
	}
	first, broken := r.conn.first, r.conn.broken
	switch {
	case first != 0 && strings.IndexByte(respTypes, first) < 0,
		broken == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return r.a.badAnswer("RESP")
	case broken == nil:
		return err
	}
	return broken
}

// withheld turns a server's wish for a password that is kept from this place
// into a failure of this side: it says nothing about the password. Where there
// was none to be had, that is said beside the server's own words.
func (r *redisPeer) withheld(err error) error {
	var s *seenError
	if !errors.As(err, &s) || s.class != ClassErrorReply || !strings.HasPrefix(s.detail, "-NOAUTH") {
		return err
	}
	if lacks := r.a.facts["auth"]; lacks != "" {
		return seen(ClassErrorReply, s.detail+" ("+lacks+")")
	}
	if r.a.probe.PasswordEnv == "" || r.a.opts.Withheld == "" {
		return err
	}
	r.a.fact("reply", s.detail)
	return seen(ClassLocal, r.a.opts.Withheld)
}

// role records the reply to ROLE, and of a replica the link to its master.
func (r *redisPeer) role(role *redis.Cmd) {
	parts, err := role.Slice()
	if err != nil || len(parts) == 0 {
		return
	}
	r.a.fact("role", fmt.Sprint(parts[0]))
	if parts[0] == "slave" && len(parts) >= 4 {
		r.a.fact("masterLink", fmt.Sprint(parts[3]))
	}
}

// read records for what state of the server a read is refused. That it is refused to
// this user, or that another server has the key (-MOVED), says nothing of the kind.
func (r *redisPeer) read(ctx context.Context, read *redis.IntCmd) {
	var refused redis.Error
	if !errors.As(read.Err(), &refused) {
		return
	}
	reply := "-" + refused.Error()
	down := strings.HasPrefix(reply, "-CLUSTERDOWN")
	if !down && !strings.HasPrefix(reply, "-MASTERDOWN") {
		return
	}
	r.a.fact("read", reply)
	if !down {
		return
	}
	if info, err := r.client.ClusterInfo(ctx).Result(); err == nil {
		for _, field := range []string{"cluster_state", "cluster_slots_assigned", "cluster_slots_fail", "cluster_known_nodes"} {
			r.a.fact(field, infoField(info, field))
		}
	}
}

// room records what decides whether a server takes writes, without writing: how many
// good replicas it counts, where it is told to count them, and its memory, where it is
// told to forget nothing.
func (r *redisPeer) room(replication, memory string) {
	if infoField(replication, "role") == "master" {
		r.a.fact("goodReplicas", infoField(replication, "min_slaves_good_slaves"))
	}
	if infoField(memory, "maxmemory_policy") != "noeviction" {
		return
	}
	limit, _ := strconv.ParseInt(infoField(memory, "maxmemory"), 10, 64)
	used, err := strconv.ParseInt(infoField(memory, "used_memory"), 10, 64)
	beside, _ := strconv.ParseInt(infoField(memory, "mem_not_counted_for_evict"), 10, 64)
	if err == nil && limit > 0 {
		r.a.fact("maxMemory", strconv.FormatInt(limit, 10))
		r.a.fact("usedMemory", strconv.FormatInt(used-beside, 10))
	}
}

// withoutArgs drops the arguments that a server repeats of a command that it
// does not know: they may hold the password.
func withoutArgs(line string) string {
	if i := strings.Index(line, "with args beginning with"); i >= 0 {
		return strings.TrimRight(line[:i], ", ")
	}
	return line
}

func infoField(info, field string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), field+":"); ok {
			return v
		}
	}
	return ""
}

// startTLS wraps a connection for a check that runs inside TLS.
// protocols are offered in ALPN.
func (a *attempt) startTLS(ctx context.Context, conn net.Conn, protocols ...string) (net.Conn, error) {
	cfg := a.tlsConfig()
	cfg.NextProtos = protocols
	c := tls.Client(conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, a.tlsError(err)
	}
	a.secure = true
	return c, nil
}

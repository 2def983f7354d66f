package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// redis answers the commands that a check or a client library begins with, and Redis'
// own errors word for word.
type redis struct {
	gate               *gate
	who                identity
	username, password string
}

// The texts of Redis 7.
const (
	errNoAuth     = "-NOAUTH Authentication required."
	errHelloAuth  = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errWrongPass  = "-WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errLoading    = "-LOADING Redis is loading the dataset in memory"
	errMisconf    = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
	errMasterDown = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	errMaxClients = "-ERR max number of clients reached"
	errDenied     = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."
)

// serve talks to one client.
func (r *redis) serve(ctx context.Context, conn net.Conn) {
	switch b := r.gate.get(); b.mode {
	case maxClients, denied:
		text := errMaxClients
		if b.mode == denied {
			text = errDenied
		}
		_, _ = io.WriteString(conn, text+"\r\n")
		if closer, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = closer.CloseWrite()
		}
		// Closing over unread bytes would reset, and the text might not arrive.
		_, _ = io.CopyN(io.Discard, conn, maxCommand)
		return
	}
	in := bufio.NewReader(conn)
	authenticated := r.password == ""
	for {
		command, err := readCommand(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintf(conn, "-ERR Protocol error: %s\r\n", err)
			}
			return
		}
		if len(command) == 0 {
			continue
		}
		b := r.gate.get()
		switch b.mode {
		case slow:
			if !pause(ctx, b.delay) {
				return
			}
		case endless:
			if _, err := io.WriteString(conn, "+"); err == nil {
				writeEndless(conn)
			}
			return
		}
		if _, err := io.WriteString(conn, r.answer(b.mode, command, &authenticated)); err != nil {
			return
		}
		if strings.EqualFold(command[0], "QUIT") {
			return
		}
	}
}

// answer is the reply to one command, in RESP2.
func (r *redis) answer(m mode, command []string, authenticated *bool) string {
	name := strings.ToUpper(command[0])
	switch {
	case name == "QUIT":
		return "+OK\r\n"
	case name == "AUTH":
		return r.authenticate(m, command[1:], authenticated) + "\r\n"
	case name == "HELLO":
		return r.hello(m, command[1:], authenticated)
	case m == noAuth || m == wrongPass || !*authenticated:
		return errNoAuth + "\r\n"
	case m == loading && name != "INFO" && name != "CLIENT":
		return errLoading + "\r\n"
	case m == escapes:
		return "-ERR " + strings.NewReplacer("\r", " ", "\n", " ").Replace(escapeText) + "\r\n"
	case m == misconf && (name == "PING" || name == "SET"):
		return errMisconf + "\r\n"
	case m == masterDown && (name == "GET" || name == "SET" || name == "EXISTS" || name == "DBSIZE"):
		return errMasterDown + "\r\n"
	}
	switch name {
	case "PING":
		if len(command) > 1 {
			return bulk(command[1])
		}
		return "+PONG\r\n"
	case "ECHO":
		if len(command) == 2 {
			return bulk(command[1])
		}
		return "-ERR wrong number of arguments for 'echo' command\r\n"
	case "ROLE":
		if m == masterDown {
			return "*5\r\n" + bulk("slave") + bulk("redis-master") + ":6379\r\n" + bulk("connect") + ":-1\r\n"
		}
		return "*3\r\n" + bulk("master") + ":0\r\n*0\r\n"
	case "INFO":
		return bulk(r.info(m))
	case "SET", "SELECT", "CLIENT":
		return "+OK\r\n"
	case "GET":
		return "$-1\r\n"
	case "EXISTS", "DBSIZE":
		return ":0\r\n"
	case "COMMAND":
		return "*0\r\n"
	}
	return fmt.Sprintf("-ERR unknown command '%.128s', with args beginning with: \r\n", strings.Map(printable, command[0]))
}

func (r *redis) authenticate(m mode, args []string, authenticated *bool) string {
	username, password := "default", ""
	switch len(args) {
	case 1:
		password = args[0]
	case 2:
		username, password = args[0], args[1]
	default:
		return "-ERR wrong number of arguments for 'auth' command"
	}
	if m == wrongPass {
		return errWrongPass
	}
	if r.password == "" && m != noAuth {
		if len(args) == 1 {
			return errNoPassword
		}
		return "+OK"
	}
	if username != r.username || password != r.password || r.password == "" {
		return errWrongPass
	}
	*authenticated = true
	return "+OK"
}

// hello answers HELLO [version [AUTH user password] …]; only RESP2 is spoken.
func (r *redis) hello(m mode, args []string, authenticated *bool) string {
	if len(args) > 0 && args[0] != "2" {
		return "-NOPROTO unsupported protocol version\r\n"
	}
	if len(args) >= 4 && strings.EqualFold(args[1], "AUTH") {
		if answer := r.authenticate(m, args[2:4], authenticated); answer != "+OK" {
			return answer + "\r\n"
		}
	}
	if m == noAuth || m == wrongPass || !*authenticated {
		return errHelloAuth + "\r\n"
	}
	return "*6\r\n" + bulk("server") + bulk("redis") + bulk("version") + bulk("7.0.15") + bulk("proto") + ":2\r\n"
}

func (r *redis) info(m mode) string {
	role, loadingNow := "master", 0
	if m == masterDown {
		role = "slave\r\nmaster_link_status:down"
	}
	if m == loading {
		loadingNow = 1
	}
	return fmt.Sprintf("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:%s\r\n\r\n# Persistence\r\nloading:%d\r\n\r\n# Replication\r\nrole:%s\r\n",
		r.who.runID, loadingNow, role)
}

// maxCommand bounds a command: its parts, and the bytes of each.
const maxCommand = 64 << 10

// readCommand reads an array of bulk strings, or a line of words.
func readCommand(in *bufio.Reader) ([]string, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	count, isArray := strings.CutPrefix(line, "*")
	if !isArray {
		return strings.Fields(line), nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n > 1024 {
		return nil, errors.New("invalid multibulk length")
	}
	var out []string
	for range n {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		length, ok := strings.CutPrefix(line, "$")
		size, err := strconv.Atoi(length)
		if !ok || err != nil || size < 0 || size > maxCommand {
			return nil, errors.New("invalid bulk length")
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		out = append(out, string(b[:size]))
	}
	return out, nil
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errors.New("too big inline request")
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

package generate

import (
	corev1 "k8s.io/api/core/v1"
)

// dataLimit bounds what an app keeps in a volume that goes with its Pod.
const dataLimit = "1Gi"

// anyUser is for images that run as whichever user they are told: one that no
// machine has for anybody else, should a process ever leave its container.
const anyUser = 10001

// tmp is what many programs write to.
var tmp = mount{"tmp", "/tmp", "64Mi"}

// presets is the table of known images: only what the official images document
// about themselves. The first that fits counts, so the narrower one comes first.
// Data is kept in an emptyDir, which goes with the Pod, unless the Spec says where.
var presets = []preset{
	{
		repositories: []string{"redis", "library/redis"},
		before:       7,
		port:         6379, appProtocol: "redis",
		user: anyUser, group: anyUser,
		writable: []mount{{"data", "/data", dataLimit}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: oldPongProbe("redis-cli"), liveness: replyProbe("redis-cli"),
	},
	{
		repositories: []string{"redis", "library/redis"},
		port:         6379, appProtocol: "redis",
		user: anyUser, group: anyUser,
		writable: []mount{{"data", "/data", dataLimit}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: pongProbe("redis-cli"), liveness: replyProbe("redis-cli"),
	},
	{
		repositories: []string{"valkey/valkey"},
		port:         6379, appProtocol: "redis",
		user: anyUser, group: anyUser,
		writable: []mount{{"data", "/data", dataLimit}},
		requests: resources{"50m", "64Mi"}, limits: resources{"500m", "256Mi"},
		readiness: pongProbe("valkey-cli"), liveness: replyProbe("valkey-cli"),
	},
	{
		repositories: []string{"nginx", "library/nginx"},
		port:         80, appProtocol: "http",
		user: 101, group: 101,
		// /var/run is a link to /run in this image.
		writable: []mount{{"cache", "/var/cache/nginx", "256Mi"}, {"run", "/run", "16Mi"}, tmp},
		requests: resources{"50m", "32Mi"}, limits: resources{"500m", "128Mi"},
		readiness: httpProbe("/"), liveness: patientTCPProbe,
	},
	{
		repositories: []string{"httpd", "library/httpd"},
		port:         80, appProtocol: "http",
		user: 33, group: 33, // www-data, as which its workers run
		// It writes its process ID beside its logs, which go to stdout.
		writable: []mount{{"logs", "/usr/local/apache2/logs", "16Mi"}, tmp},
		requests: resources{"50m", "32Mi"}, limits: resources{"500m", "128Mi"},
		readiness: httpProbe("/"), liveness: patientTCPProbe,
	},
	// Before 18 the data is in a folder that must belong to the user, which a
	// volume's own never does: one below it is named. Alpine has another user.
	postgres(18, "alpine", 70),
	postgres(18, "", 999),
	postgres(0, "alpine", 70),
	postgres(0, "", 999),
	{
		repositories: []string{"mysql", "library/mysql"},
		port:         3306, appProtocol: "mysql",
		user: 999, group: 999,
		writable: []mount{{"data", "/var/lib/mysql", dataLimit}, {"run", "/var/run/mysqld", "16Mi"}, tmp},
		wants:    []string{"MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"},
		requests: resources{"100m", "512Mi"}, limits: resources{"1", "1Gi"},
		// It says that the server lives also when it is refused a login; over TCP, as
		// the server that runs while the data is set up listens on its socket only.
		readiness: commandProbe("mysqladmin", "ping", "--silent", "--host=127.0.0.1", "--protocol=tcp"), liveness: patientTCPProbe,
	},
	{
		repositories: []string{"mariadb", "library/mariadb"},
		port:         3306, appProtocol: "mysql",
		user: 999, group: 999,
		writable: []mount{{"data", "/var/lib/mysql", dataLimit}, {"run", "/run/mysqld", "16Mi"}, tmp},
		wants:    []string{"MARIADB_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD_HASH", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"},
		requests: resources{"100m", "256Mi"}, limits: resources{"1", "1Gi"},
		readiness: commandProbe("healthcheck.sh", "--connect", "--innodb_initialized"), liveness: patientTCPProbe,
	},
	{
		repositories: []string{"mongo", "library/mongo"},
		port:         27017, appProtocol: "mongodb",
		user: 999, group: 999,
		writable: []mount{{"data", "/data/db", dataLimit}, {"config", "/data/configdb", "64Mi"}, tmp},
		requests: resources{"100m", "256Mi"}, limits: resources{"1", "1Gi"},
		// Its shell takes seconds of CPU to start: too dear for a probe.
		readiness: tcpProbe, liveness: patientTCPProbe,
	},
	{
		repositories: []string{"memcached", "library/memcached"},
		port:         11211, appProtocol: "memcache",
		user: 11211, group: 11211,
		requests: resources{"50m", "96Mi"}, limits: resources{"500m", "128Mi"},
		readiness: tcpProbe, liveness: patientTCPProbe,
	},
	rabbitmq("alpine", 100, 101),
	rabbitmq("", 999, 999),
	{
		repositories: []string{"nats", "library/nats"},
		port:         4222, appProtocol: "nats",
		user: anyUser, group: anyUser,
		writable: []mount{tmp},
		requests: resources{"50m", "32Mi"}, limits: resources{"500m", "128Mi"},
		readiness: tcpProbe, liveness: patientTCPProbe,
	},
}

func postgres(before int, tag string, user int64) preset {
	p := preset{
		repositories: []string{"postgres", "library/postgres"},
		before:       before, tag: tag,
		port: 5432, appProtocol: "postgresql",
		user: user, group: user,
		writable: []mount{{"data", "/var/lib/postgresql", dataLimit}, {"run", "/var/run/postgresql", "16Mi"}, tmp},
		wants:    []string{"POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD"},
		requests: resources{"100m", "128Mi"}, limits: resources{"1", "512Mi"},
		// Over TCP, as the server that runs while the data is set up listens on its
		// socket only.
		readiness: commandProbe("pg_isready", "-h", "127.0.0.1"), liveness: patientTCPProbe,
	}
	if before > 0 {
		p.writable[0].path = "/var/lib/postgresql/data"
		p.env = []corev1.EnvVar{{Name: "PGDATA", Value: "/var/lib/postgresql/data/pgdata"}}
	}
	return p
}

func rabbitmq(tag string, user, group int64) preset {
	return preset{
		repositories: []string{"rabbitmq", "library/rabbitmq"},
		tag:          tag,
		port:         5672, appProtocol: "amqp",
		user: user, group: group,
		writable: []mount{{"data", "/var/lib/rabbitmq", dataLimit}, {"log", "/var/log/rabbitmq", "64Mi"}, tmp},
		requests: resources{"100m", "256Mi"}, limits: resources{"1", "512Mi"},
		// Its own diagnostics start a second Erlang machine: too dear for a probe.
		readiness: tcpProbe, liveness: patientTCPProbe,
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/schema.h"

#include "config/draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct schema_section schema_section[KIND_N] = {
        [KIND_MOONGATE] = {"moongate", false, "the process"},
        [KIND_LISTENER] = {"listener", true, "addresses at which clients connect"},
        [KIND_UPSTREAM] = {"upstream", true,
                "an application that routes lead to, on one or several servers"},
        [KIND_ROUTE] = {"route", true,
                "what is done with requests: exactly one of upstream, handler, respond and echo. "
                "Which "
                "route "
                "serves a request is decided by its host (exact, then the longest *. suffix, then "
                "none), then the path (exact, then the longest prefix, then none), then a named "
                "listener before none, then the number of header and query conditions; the order "
                "in the file means nothing"},
        [KIND_DEFAULTS] = {"defaults", false, "values for all routes, which a route may override"},
        [KIND_SHARED_DICT] = {"shared_dict", true,
                "a dictionary that the scripts of all workers share, as ngx.shared.NAME; it "
                "outlives "
                "reloads, not the process"},
};

/* clang-format off */
#define PROCESS(field)  offsetof(struct config, field), sizeof((struct config *)0)->field
#define LISTENER(field) offsetof(struct draft_listener, field), sizeof((struct draft_listener *)0)->field
#define UPSTREAM(field) offsetof(struct draft_upstream, field), sizeof((struct draft_upstream *)0)->field
#define ROUTE(field)    offsetof(struct draft_route, field), sizeof((struct draft_route *)0)->field
#define SETTING(field)  offsetof(struct route_settings, field), sizeof((struct route_settings *)0)->field
#define SHARED(field)   offsetof(struct draft_shared_dict, field), sizeof((struct draft_shared_dict *)0)->field
#define WHOLE           0, 0
#define NO_BOUNDS       0, 0

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define S(n)   ((uint64_t)(n) * 1000)
#define H(n)   ((uint64_t)(n) * 3600000)

const struct schema_key schema_key[] = {
	{ KIND_MOONGATE, "workers", parse_count, PROCESS(workers), 1, 64, "auto", KEY_AUTO, NULL,
	  "threads that carry connections; auto is one per core" },
	{ KIND_MOONGATE, "user", parse_user, PROCESS(identity), NO_BOUNDS, NULL, 0, "USER",
	  "who to be instead of root, by name or number, before anything is opened; of root's rights only that to ports below 1024 is kept" },
	{ KIND_MOONGATE, "group", parse_group, PROCESS(identity.gid), NO_BOUNDS, NULL, 0, "GROUP",
	  "the group to be of, and no other; the user's own if not given" },
	{ KIND_MOONGATE, "core_dumps", parse_on_off, PROCESS(core_dumps), NO_BOUNDS, "off", 0, "on | off",
	  "let the kernel write a core when the daemon crashes, and its user trace it; a core holds what peers sent" },
	{ KIND_MOONGATE, "log", parse_log, PROCESS(log), NO_BOUNDS, "stderr", KEY_RELOAD,
	  "stderr | syslog[:PATH] | journal[:PATH] | PATH",
	  "where log lines go; a file is appended to, and opened anew on SIGUSR1. syslog and journal are asked by their usual sockets, "
	  "unless a PATH names another; the journal gets each key as a field of its own" },
	{ KIND_MOONGATE, "log_level", parse_log_level, PROCESS(log_level), NO_BOUNDS, "info", KEY_RELOAD,
	  "error | warn | info | debug", "the least important lines that are written" },
	{ KIND_MOONGATE, "log_rate", parse_log_rate, PROCESS(log_rate), NO_BOUNDS, "50/s", KEY_RELOAD, "off | N/s, N of 1..1000000",
	  "most lines of one event that a thread logs in a second; further ones are counted, and told by one line, suppressed" },
	{ KIND_MOONGATE, "access_log", parse_access_log, PROCESS(access_log), NO_BOUNDS, "off", KEY_LEADS | KEY_RELOAD,
	  "off | syslog[:PATH] | journal[:PATH] | PATH",
	  "where a record goes for each session at its end, and for each plain or refused request" },
	{ KIND_MOONGATE, "access_log_format", parse_access_format, PROCESS(access.format), NO_BOUNDS, "json", KEY_RELOAD, "json | text",
	  "a JSON object on a line for each record, or a line as of the log" },
	{ KIND_MOONGATE, "access_log_fields", parse_access_fields, PROCESS(access.fields), NO_BOUNDS, "all", KEY_WORDS | KEY_RELOAD, "all | NAME ...",
	  "the fields of a record; those without a value are left out, and in JSON counts of 0" },
	{ KIND_MOONGATE, "access_log_sample", parse_access_sample, PROCESS(access.sample), NO_BOUNDS, "100%", KEY_RELOAD, "1%..100%",
	  "so many sessions of a hundred have their records; those that end by an error or a broken rule all have" },
	{ KIND_MOONGATE, "access_log_start", parse_on_off, PROCESS(access.at_start), NO_BOUNDS, "off", KEY_RELOAD, "on | off",
	  "a record also when a session opens" },
	{ KIND_MOONGATE, "drain_timeout", parse_time, PROCESS(drain_timeout_ms), 0, H(24), "10s", KEY_RELOAD, NULL,
	  "time over which the sessions are closed when the daemon stops" },
	{ KIND_MOONGATE, "address_table", parse_count, PROCESS(address_table), 1000, 100000000, "100000", KEY_RELOAD, NULL,
	  "most addresses that are remembered for limits per address, some 100 bytes each; when all of them have connections, "
	  "further addresses are let through and not counted" },
	{ KIND_MOONGATE, "memory_max", parse_memory, PROCESS(memory_max), MIB(8), GIB(1024), "auto", KEY_AUTO | KEY_RELOAD,
	  "auto | off | 8m..1024g",
	  "memory that connections may take, the kernel's part of them estimated; near it new ones get 503, and nothing is piled up for slow "
	  "receivers. auto: three quarters of the cgroup's memory limit (half with cgroup 2, which counts socket buffers), off if there is none" },
	{ KIND_MOONGATE, "resolver", parse_resolver, PROCESS(resolver), NO_BOUNDS, "system", KEY_WORDS | KEY_RELOAD, "system | ADDRESS[:PORT] ...",
	  "name servers to ask for the addresses of upstreams, by turns as they fail; system: those of /etc/resolv.conf. /etc/hosts comes first" },
	{ KIND_MOONGATE, "resolver_timeout", parse_time, PROCESS(resolver.timeout_ms), 10, S(60), "2s", KEY_RELOAD, NULL,
	  "longest wait for the addresses of a name; then the last good ones are used, if there were any" },
	{ KIND_MOONGATE, "tls_key_log", parse_key_log, PROCESS(tls_key_log), NO_BOUNDS, "off", KEY_RELOAD, "off | PATH",
	  "append the secrets of all TLS connections to this file, with which whoever has it reads recorded traffic; for debugging only, and warned of" },
	{ KIND_MOONGATE, "include", parse_include, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "PATTERN",
	  "further files to read, such as conf.d/*.conf, in alphabetical order; they may hold any section" },

	{ KIND_MOONGATE, "init", parse_file, PROCESS(lua.init), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "a Lua script that runs once in every Lua VM, before anything else: at the start, at a reload, and for a check by -t; it cannot wait" },
	{ KIND_MOONGATE, "init_worker", parse_file, PROCESS(lua.init_worker), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "a Lua script that runs once on every worker, where timers can be made" },
	{ KIND_MOONGATE, "exit_worker", parse_file, PROCESS(lua.exit_worker), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "a Lua script that runs on every worker when the daemon stops, after the last session" },
	{ KIND_MOONGATE, "lua_package_path", parse_lua_path, PROCESS(lua.package_path), NO_BOUNDS, NULL, KEY_RELOAD, "TEMPLATES",
	  "where require looks for Lua modules: paths with ? for the name, separated by semicolons; ;; is the usual path. Relative ones begin at this file's folder" },
	{ KIND_MOONGATE, "lua_package_cpath", parse_lua_path, PROCESS(lua.package_cpath), NO_BOUNDS, NULL, KEY_RELOAD, "TEMPLATES",
	  "the same for modules written in C" },
	{ KIND_MOONGATE, "lua_code_cache", parse_on_off, PROCESS(lua.is_cached), NO_BOUNDS, "on", KEY_RELOAD, "on | off",
	  "off, for development only: every request gets a Lua VM of its own, with everything loaded anew" },
	{ KIND_MOONGATE, "lua_memory", parse_size, PROCESS(lua.memory_max), MIB(1), GIB(64), "off", KEY_OFF | KEY_RELOAD, NULL,
	  "memory that the Lua VM of each worker may take; a script that wants more gets the error not enough memory" },
	{ KIND_MOONGATE, "lua_stall", parse_time, PROCESS(lua.stall_ms), 1, H(1), "100ms", KEY_OFF | KEY_RELOAD, NULL,
	  "a script that holds its worker for so long, without waiting for anything, is told of in the log: nobody else is served meanwhile" },
	{ KIND_MOONGATE, "lua_max_pending_timers", parse_count, PROCESS(lua.max_pending_timers), 1, 10000000, "1024", KEY_RELOAD, NULL,
	  "most timers that wait in the Lua VM of a worker; ngx.timer.at says too many pending timers then" },
	{ KIND_MOONGATE, "lua_max_running_timers", parse_count, PROCESS(lua.max_running_timers), 1, 10000000, "256", KEY_RELOAD, NULL,
	  "most timers whose function runs or waits; one that fires beyond is lost, and told of" },
	{ KIND_MOONGATE, "lua_regex_cache_max_entries", parse_count, PROCESS(lua.re.cache_max), 1, 10000000, "1024", KEY_OFF | KEY_RELOAD, NULL,
	  "most compiled patterns of ngx.re with the option o that a VM keeps; beyond it, the one that was used longest ago goes" },
	{ KIND_MOONGATE, "lua_regex_match_limit", parse_count, PROCESS(lua.re.match_limit), 1, 1000000000, "10000000", KEY_RELOAD, NULL,
	  "how often one match of a pattern may try again, before it fails with pcre_exec() failed: -8" },
	{ KIND_MOONGATE, "allow_root_handlers", parse_yes_no, PROCESS(allow_root_handlers), NO_BOUNDS, "no", 0, "yes | no",
	  "let scripts run in a daemon that stays root" },
	{ KIND_MOONGATE, "compat", parse_compat, PROCESS(lua.handlers.is_strict), NO_BOUNDS, "fixed", KEY_RELOAD, "fixed | strict",
	  "for scripts that no route names, such as those of timers, what compat of a route is for its own" },
	{ KIND_MOONGATE, "lua_socket_connect_timeout", parse_time, PROCESS(lua.handlers.connect_timeout_ms), 1, H(24), "60s", KEY_RELOAD, NULL,
	  "for the same, longest wait for a connection" },
	{ KIND_MOONGATE, "lua_socket_send_timeout", parse_time, PROCESS(lua.handlers.send_timeout_ms), 1, H(24), "60s", KEY_RELOAD, NULL,
	  "for the same, longest wait until what is sent is taken" },
	{ KIND_MOONGATE, "lua_socket_read_timeout", parse_time, PROCESS(lua.handlers.read_timeout_ms), 1, H(24), "60s", KEY_RELOAD, NULL,
	  "for the same, longest wait for bytes" },
	{ KIND_MOONGATE, "lua_socket_keepalive_timeout", parse_time, PROCESS(lua.handlers.keepalive_timeout_ms), 1, H(24), "60s", KEY_OFF | KEY_RELOAD, NULL,
	  "for the same, how long a connection stays in its pool" },
	{ KIND_MOONGATE, "lua_socket_pool_size", parse_count, PROCESS(lua.handlers.pool_size), 1, 100000, "30", KEY_RELOAD, NULL,
	  "for the same, most connections in a pool of a worker" },
	{ KIND_MOONGATE, "lua_socket_buffer_size", parse_size, PROCESS(lua.handlers.buffer_size), 64, MIB(1), "64k", KEY_RELOAD, NULL,
	  "for the same, bytes of a connection that may wait until a script reads them; with more its peer is held up" },
	{ KIND_MOONGATE, "lua_ssl_trusted_certificate", parse_file, PROCESS(lua_tls.trusted), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "certificates in PEM, to one of which those of servers must lead that scripts verify; none given: the system's. This and what follows a route may override" },
	{ KIND_MOONGATE, "lua_ssl_verify_depth", parse_count, PROCESS(lua_tls.depth), 1, 100, "1", KEY_RELOAD, NULL,
	  "most CAs between a server's certificate and a trusted one" },
	{ KIND_MOONGATE, "lua_ssl_ciphers", parse_tls_ciphers, PROCESS(lua_tls.ciphers), NO_BOUNDS, "intermediate", KEY_RELOAD, "intermediate | NAME:NAME...",
	  "what scripts' sockets may speak TLS 1.2 with, in OpenSSL's names" },
	{ KIND_MOONGATE, "lua_ssl_protocols", parse_tls_versions, PROCESS(lua_tls.versions), NO_BOUNDS, "TLSv1.2 TLSv1.3", KEY_WORDS | KEY_RELOAD, "TLSv1.2 TLSv1.3",
	  "the versions of TLS that they speak" },
	{ KIND_MOONGATE, "lua_ssl_certificate", parse_file, PROCESS(lua_tls.certificate), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "a certificate with its chain, in PEM, for servers that ask for one; setclientcert of a socket goes before it" },
	{ KIND_MOONGATE, "lua_ssl_certificate_key", parse_file, PROCESS(lua_tls.key), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "its private key; none given: it is in the certificate's file" },
	{ KIND_MOONGATE, "lua_ssl_crl", parse_file, PROCESS(lua_tls.crl), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "lists of revoked certificates in PEM, one of each CA: a server whose certificate is in one is not believed, nor one of a CA without a list" },
	{ KIND_MOONGATE, "lua_ssl_conf_command", parse_tls_command, PROCESS(lua_tls.commands), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME VALUE",
	  "a command for OpenSSL, as its files of settings have them; what else is said of TLS here yields to it" },
	{ KIND_MOONGATE, "lua_socket_log_errors", parse_on_off, PROCESS(lua.handlers.log_errors), NO_BOUNDS, "on", KEY_RELOAD, "on | off",
	  "for the same, whether failures of sockets are in the log" },

	{ KIND_LISTENER, "bind", parse_bind, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_REQUIRED | KEY_RELOAD,
	  "ADDRESS:PORT | [IPV6]:PORT | unix:PATH | fd:NAME", "an address to accept connections at; 0.0.0.0 and [::] are all of the host's; "
	  "fd:NAME takes the sockets that the service manager opened and passed on by that name" },
	{ KIND_LISTENER, "backlog", parse_count, LISTENER(settings.backlog), 1, 65535, "4096", KEY_RELOAD, NULL,
	  "connections that may wait to be accepted; the kernel's somaxconn is a limit too" },
	{ KIND_LISTENER, "mode", parse_mode, LISTENER(settings.mode), NO_BOUNDS, NULL, KEY_RELOAD, "octal, such as 0660",
	  "permissions of a unix socket; as the umask says if not given" },
	{ KIND_LISTENER, "owner", parse_owner, LISTENER(settings.owner), NO_BOUNDS, NULL, KEY_RELOAD, "USER",
	  "owner of a unix socket, by name or number" },
	{ KIND_LISTENER, "group", parse_group, LISTENER(settings.group), NO_BOUNDS, NULL, KEY_RELOAD, "GROUP",
	  "group of a unix socket, by name or number" },
	{ KIND_LISTENER, "handshake_timeout", parse_time, LISTENER(handshake_timeout_ms), 1, H(24), "10s", KEY_RELOAD, NULL,
	  "longest time from accepting a connection, or from the first byte of a later request, to its answer" },
	{ KIND_LISTENER, "keepalive_timeout", parse_time, LISTENER(keepalive_timeout_ms), 1, H(24), "60s", KEY_RELOAD, NULL,
	  "longest wait for another request on a connection that was not upgraded" },
	{ KIND_LISTENER, "max_connections", parse_count, LISTENER(limits.max_connections), 1, 10000000, "off", KEY_OFF | KEY_RELOAD, NULL,
	  "most connections at a time, of all workers together; further ones get 503 with Retry-After at once" },
	{ KIND_LISTENER, "max_connections_per_address", parse_count, LISTENER(limits.max_connections_per_address), 1, 10000000, "off",
	  KEY_OFF | KEY_RELOAD, NULL, "the same of one client address; further ones get 429" },
	{ KIND_LISTENER, "address_prefix_ipv6", parse_count, LISTENER(limits.prefix_ipv6), 1, 128, "64", KEY_RELOAD, NULL,
	  "so many leading bits of an IPv6 address count as one client address" },
	{ KIND_LISTENER, "limit_exempt", parse_exempt, LISTENER(limits.exempt), NO_BOUNDS, "none", KEY_REPEAT | KEY_RELOAD,
	  "none | ADDRESS[/BITS]", "client addresses that max_connections_per_address is not for" },
	{ KIND_LISTENER, "tcp_keepalive", parse_time, LISTENER(settings.socket.keepalive_ms), S(1), H(2), "30s", KEY_OFF | KEY_RELOAD, NULL,
	  "a TCP connection on which nothing moved for so long is asked whether the peer is alive, in whole seconds; it is gone when 3 probes, a third of the time apart, find no answer, or one finds none within tcp_user_timeout" },
	{ KIND_LISTENER, "tcp_user_timeout", parse_time, LISTENER(settings.socket.user_timeout_ms), 1, H(24), "30s", KEY_OFF | KEY_RELOAD, NULL,
	  "a TCP connection is given up when bytes that were sent are not acknowledged for so long; off leaves it to the kernel, some 15 minutes" },
	{ KIND_LISTENER, "send_buffer", parse_size, LISTENER(settings.socket.send_buffer), KIB(2), MIB(16), "0",
	  KEY_ZERO | KEY_RELOAD, NULL, "the sockets' send buffer, in bytes; 0 leaves it to the kernel" },
	{ KIND_LISTENER, "receive_buffer", parse_size, LISTENER(settings.socket.receive_buffer), KIB(2), MIB(16), "0",
	  KEY_ZERO | KEY_RELOAD, NULL, "the sockets' receive buffer, in bytes; 0 leaves it to the kernel" },

	{ KIND_LISTENER, "tls_certificate", parse_tls_files, LISTENER(tls.certificate), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD | KEY_FILE, "PATH",
	  "speak TLS, by this certificate with its chain behind it, in PEM. Of several, that is used which holds the name the client asks for, "
	  "exactly or by *.; of the same name one with an RSA and one with an ECDSA key may stand side by side" },
	{ KIND_LISTENER, "tls_key", parse_tls_files, LISTENER(tls.key), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD | KEY_FILE, "PATH",
	  "the certificate's private key, in PEM without passphrase; one for each tls_certificate in the same order. None given: they are in the certificates' files" },
	{ KIND_LISTENER, "tls_unknown_name", parse_tls_unknown, LISTENER(tls.refuse_unknown), NO_BOUNDS, "default", KEY_RELOAD, "default | refuse",
	  "clients that ask for a name that no certificate holds, or for none, get the first certificate, or an alert" },
	{ KIND_LISTENER, "tls_min_version", parse_tls_version, LISTENER(tls.min_version), NO_BOUNDS, "1.2", KEY_RELOAD, "1.2 | 1.3",
	  "the oldest version of TLS that is spoken" },
	{ KIND_LISTENER, "tls_ciphers", parse_tls_ciphers, LISTENER(tls.ciphers), NO_BOUNDS, "intermediate", KEY_RELOAD, "intermediate | NAME:NAME...",
	  "what TLS 1.2 may be spoken with, in OpenSSL's names; of those the client chooses. intermediate is Mozilla's profile of that name" },
	{ KIND_LISTENER, "tls_ciphersuites", parse_tls_suites, LISTENER(tls.ciphersuites), NO_BOUNDS, "intermediate", KEY_RELOAD, "intermediate | NAME:NAME...",
	  "the same for TLS 1.3" },
	{ KIND_LISTENER, "tls_groups", parse_tls_groups, LISTENER(tls.groups), NO_BOUNDS, "intermediate", KEY_RELOAD, "intermediate | NAME:NAME...",
	  "the groups that keys are agreed on with" },
	{ KIND_LISTENER, "tls_timeout", parse_time, LISTENER(tls.timeout_ms), 1, H(24), "5s", KEY_RELOAD, NULL,
	  "longest time for the TLS handshake; handshake_timeout, which goes on to the request, is a limit too" },
	{ KIND_LISTENER, "tls_ticket_key", parse_tls_files, LISTENER(tls.ticket_key), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD | KEY_FILE, "PATH",
	  "a file of 80 random bytes that session tickets are protected with; nodes with the same files resume each other's sessions. The first is for "
	  "new tickets, the others still open old ones. None given: keys of the process's own, renewed every hour" },
	{ KIND_LISTENER, "tls_ocsp", parse_tls_files, LISTENER(tls.ocsp), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD | KEY_FILE, "PATH",
	  "an OCSP response in DER, sent along with the certificate that it is about, as long as it is valid" },
	{ KIND_LISTENER, "tls_client_ca", parse_tls_file, LISTENER(tls.client_ca), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "certificates in PEM that the clients' own must lead to" },
	{ KIND_LISTENER, "tls_verify_client", parse_tls_verify, LISTENER(tls.verify), NO_BOUNDS, "off", KEY_RELOAD, "off | optional | on",
	  "ask clients for a certificate: on refuses those that show none; who shows one that does not hold is refused in both cases" },

	{ KIND_LISTENER, "trusted_proxy", parse_trusted_proxy, LISTENER(trusted), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD,
	  "ADDRESS[/BITS] | unix:", "a proxy before this listener that is believed about who its clients are; nobody else is. unix: is every peer on a unix socket" },
	{ KIND_LISTENER, "trusted_header", parse_trusted_header, LISTENER(trusted_header), NO_BOUNDS, "X-Forwarded-For", KEY_RELOAD,
	  "X-Forwarded-For | Forwarded | X-Real-IP", "the one header in which trusted proxies say who their client is" },

	{ KIND_LISTENER, "proxy_protocol", parse_on_off, LISTENER(proxy_protocol), NO_BOUNDS, "off", KEY_RELOAD, "on | off",
	  "connections from proxy_protocol_from begin with a PROXY header (version 1 or 2) that tells the client's address, or are closed; "
	  "all other peers are clients, whose headers are not believed" },
	{ KIND_LISTENER, "proxy_protocol_from", parse_trusted_proxy, LISTENER(proxy_protocol_from), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD,
	  "ADDRESS[/BITS] | unix:", "a proxy that sends PROXY headers; unix: is every peer on a unix socket" },

	{ KIND_UPSTREAM, "server", parse_server, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_REQUIRED | KEY_RELOAD,
	  "ws[s]://HOST[:PORT] | ws[s]://unix:PATH | ws[s]+srv://_NAME._tcp.DOMAIN [weight=N] [backup] [max_connections=N]",
	  "where the application listens: an address, a name or a unix socket; the port is 80, with wss 443, if not given. wss speaks TLS. All "
	  "addresses of a name are tried. ws+srv, wss+srv: the servers are the targets that name servers list for this service, alone in its section. "
	  "Of several servers (at most 64) each gets sessions by its weight (1..256, 1 if not given); a backup only while no other can be used" },
	{ KIND_UPSTREAM, "balance", parse_balance, UPSTREAM(balance), NO_BOUNDS, "round_robin", KEY_RELOAD,
	  "round_robin | least_connections | random_two | hash",
	  "how a server is chosen: in turn; the one with the fewest sessions for its weight; the better of two at random; "
	  "always the same one for the same hash_key" },
	{ KIND_UPSTREAM, "hash_key", parse_hash_key, UPSTREAM(hash_key), NO_BOUNDS, "client_address", KEY_RELOAD,
	  "client_address | header NAME | cookie NAME | query NAME | uri",
	  "what balance = hash goes by; for a request that lacks what is named, the client's address" },
	{ KIND_UPSTREAM, "max_connections", parse_count, UPSTREAM(max_connections), 1, 1000000, "off", KEY_OFF | KEY_RELOAD, NULL,
	  "most sessions of each server at a time, of all workers together, unless its server line says otherwise" },
	{ KIND_UPSTREAM, "queue", parse_count, UPSTREAM(queue), 1, 1000000, "off", KEY_OFF | KEY_RELOAD, NULL,
	  "requests that may wait, first come first served, while every server has max_connections; further ones get 503" },
	{ KIND_UPSTREAM, "queue_timeout", parse_time, UPSTREAM(queue_timeout_ms), 1, H(24), "off", KEY_OFF | KEY_RELOAD, NULL,
	  "longest wait in the queue, then 503; handshake_timeout is a limit too" },
	{ KIND_UPSTREAM, "tries", parse_count, UPSTREAM(tries), 1, 64, "2", KEY_RELOAD, NULL,
	  "most servers that are asked for one session: another one when a server cannot be reached, ends without an answer, or answers 502, 503 or 504" },
	{ KIND_UPSTREAM, "max_fails", parse_count, UPSTREAM(max_fails), 1, 64, "3", KEY_OFF | KEY_RELOAD, NULL,
	  "a server that could not be reached or gave no answer so many times within fail_timeout gets no sessions for fail_timeout; then one session tries it" },
	{ KIND_UPSTREAM, "fail_timeout", parse_time, UPSTREAM(fail_timeout_ms), 1, H(24), "10s", KEY_RELOAD, NULL,
	  "the time in which max_fails are counted, and for which the server is then left alone" },
	{ KIND_UPSTREAM, "slow_start", parse_time, UPSTREAM(slow_start_ms), 1, H(24), "off", KEY_OFF | KEY_RELOAD, NULL,
	  "time over which a server that was down comes back to its full weight; not with balance = hash" },
	{ KIND_UPSTREAM, "source", parse_source, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "ADDRESS",
	  "local address to connect from, several by turns; each has its own ports, some 28 000 for each server" },
	{ KIND_UPSTREAM, "sticky", parse_sticky, UPSTREAM(sticky), NO_BOUNDS, NULL, KEY_RELOAD, "off | COOKIE",
	  "bring clients back to the server they had, by a signed cookie of this name that is set in the 101; "
	  "when that server cannot be used, another one is chosen as balance says, and a new cookie set" },
	{ KIND_UPSTREAM, "sticky_secret", parse_file, UPSTREAM(sticky_secret), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "a file of 32 to 4096 bytes that signs the cookies; nodes with the same file honour each other's" },
	{ KIND_UPSTREAM, "sticky_attributes", parse_attributes, UPSTREAM(sticky_attributes), NO_BOUNDS,
	  "Path=/; HttpOnly; SameSite=Lax", KEY_RELOAD, "attributes, such as Path=/; HttpOnly; Secure; SameSite=Lax",
	  "the cookie's attributes" },
	{ KIND_UPSTREAM, "sticky_ttl", parse_time, UPSTREAM(sticky_ttl_ms), S(1), H(24 * 400), "off", KEY_OFF | KEY_RELOAD, NULL,
	  "how long a cookie counts; off: until the browser ends" },
	{ KIND_UPSTREAM, "connect_timeout", parse_time, UPSTREAM(connect_timeout_ms), 1, H(24), "5s", KEY_RELOAD, NULL,
	  "longest time to find and connect to the server, TLS included" },
	{ KIND_UPSTREAM, "answer_timeout", parse_time, UPSTREAM(answer_timeout_ms), 1, H(24), "off", KEY_OFF | KEY_RELOAD, NULL,
	  "longest time from choosing a server, connecting included, to the first line of its answer; then the next one is tried. off: a server that "
	  "stays silent may take all of the handshake_timeout" },
	{ KIND_UPSTREAM, "tls_ca", parse_tls_file, UPSTREAM(tls.ca), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "certificates in PEM that those of the servers must lead to; the system's if not given" },
	{ KIND_UPSTREAM, "tls_verify", parse_on_off, UPSTREAM(tls.verify), NO_BOUNDS, "on", KEY_RELOAD, "on | off",
	  "believe a server only by a certificate that leads to tls_ca and holds its name; off believes anybody, and is warned of" },
	{ KIND_UPSTREAM, "tls_server_name", parse_tls_name, UPSTREAM(tls.name), NO_BOUNDS, NULL, KEY_RELOAD, "NAME",
	  "the name to ask for, which the certificate must hold; the host of the server's line if not given" },
	{ KIND_UPSTREAM, "tls_client_certificate", parse_tls_file, UPSTREAM(tls.certificate), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "what is shown to servers that ask for a certificate: it, with its chain behind it, in PEM" },
	{ KIND_UPSTREAM, "tls_client_key", parse_tls_file, UPSTREAM(tls.key), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "its private key, in PEM without passphrase; if not given, it is in the certificate's file" },
	{ KIND_UPSTREAM, "spare", parse_count, UPSTREAM(spare), 1, 10000, "off", KEY_OFF | KEY_RELOAD, NULL,
	  "connections to each server that are kept ready, so that a session need not wait for one to be made; of all workers together, "
	  "each has its part, and one at least. They count against max_connections, but never keep a session out" },
	{ KIND_UPSTREAM, "spare_idle", parse_time, UPSTREAM(spare_idle_ms), S(1), H(24), "8s", KEY_RELOAD, NULL,
	  "how long such a connection is kept: less than the time in which the servers want to see a request" },
	{ KIND_UPSTREAM, "health", parse_health, UPSTREAM(health), NO_BOUNDS, "off", KEY_RELOAD, "off | connect | handshake | ping",
	  "probe the servers: whether they can be connected to; whether they upgrade, too; whether they answer a ping, too. "
	  "An unhealthy server gets no sessions" },
	{ KIND_UPSTREAM, "health_interval", parse_time, UPSTREAM(health_interval_ms), 10, H(24), "5s", KEY_RELOAD, NULL,
	  "time between two probes of a server, give or take a tenth" },
	{ KIND_UPSTREAM, "health_timeout", parse_time, UPSTREAM(health_timeout_ms), 1, H(24), "2s", KEY_RELOAD, NULL,
	  "longest time that a probe may take; then it has failed" },
	{ KIND_UPSTREAM, "health_rise", parse_count, UPSTREAM(health_rise), 1, 1000, "2", KEY_RELOAD, NULL,
	  "so many good probes in a row make a server healthy again" },
	{ KIND_UPSTREAM, "health_fall", parse_count, UPSTREAM(health_fall), 1, 1000, "3", KEY_RELOAD, NULL,
	  "so many failed probes in a row make it unhealthy" },
	{ KIND_UPSTREAM, "health_path", parse_health_path, UPSTREAM(health_path), NO_BOUNDS, "/", KEY_RELOAD, "/PATH",
	  "what handshake and ping ask for; a query may follow" },
	{ KIND_UPSTREAM, "proxy_protocol", parse_proxy_protocol, UPSTREAM(proxy_protocol), NO_BOUNDS, "off", KEY_RELOAD, "off | v1 | v2",
	  "tell the servers each client's address by a PROXY header of this version, in front of the request" },
	{ KIND_UPSTREAM, "tcp_keepalive", parse_time, UPSTREAM(socket.keepalive_ms), S(1), H(2), "30s", KEY_OFF | KEY_RELOAD, NULL,
	  "a TCP connection on which nothing moved for so long is asked whether the peer is alive, in whole seconds; it is gone when 3 probes, a third of the time apart, find no answer, or one finds none within tcp_user_timeout" },
	{ KIND_UPSTREAM, "tcp_user_timeout", parse_time, UPSTREAM(socket.user_timeout_ms), 1, H(24), "30s", KEY_OFF | KEY_RELOAD, NULL,
	  "a TCP connection is given up when bytes that were sent are not acknowledged for so long; off leaves it to the kernel, some 15 minutes" },
	{ KIND_UPSTREAM, "send_buffer", parse_size, UPSTREAM(socket.send_buffer), KIB(2), MIB(16), "0",
	  KEY_ZERO | KEY_RELOAD, NULL, "the sockets' send buffer, in bytes; 0 leaves it to the kernel" },
	{ KIND_UPSTREAM, "receive_buffer", parse_size, UPSTREAM(socket.receive_buffer), KIB(2), MIB(16), "0",
	  KEY_ZERO | KEY_RELOAD, NULL, "the sockets' receive buffer, in bytes; 0 leaves it to the kernel" },

	{ KIND_ROUTE, "listener", parse_names, ROUTE(listener), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME",
	  "the listener whose requests are meant; none given: all of them" },
	{ KIND_ROUTE, "host", parse_host, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME | *.DOMAIN",
	  "the host of the request, without port; *.example.com is every name below example.com, not itself; none given: every host" },
	{ KIND_ROUTE, "path", parse_path, ROUTE(path), NO_BOUNDS, NULL, KEY_RELOAD, "/PATH | /PREFIX*",
	  "the path of the request, in its normal form; with '*' at the end, all paths that begin so; none given: every path" },
	{ KIND_ROUTE, "header", parse_header, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME: VALUE",
	  "a header that the request must have, once and with exactly this value" },
	{ KIND_ROUTE, "query", parse_query, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME=VALUE",
	  "an argument that the request's query must have, once and, decoded, with exactly this value" },
	{ KIND_ROUTE, "tls_client", parse_tls_client, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD,
	  "subject NAME | issuer NAME | fingerprint SHA256", "what the client's verified certificate must be: whose, and by whom, as RFC 2253 writes "
	  "names (CN=alice,O=Example), or exactly this one" },
	{ KIND_ROUTE, "upstream", parse_name, ROUTE(upstream), NO_BOUNDS, NULL, KEY_RELOAD, "NAME",
	  "pass WebSocket connections on to this [upstream]" },
	{ KIND_ROUTE, "respond", parse_respond, ROUTE(respond), NO_BOUNDS, NULL, KEY_RELOAD, "STATUS | 301 URL",
	  "answer every request with a status of 200 to 599; 301, 302, 303, 307 and 308 need a URL to go to" },
	{ KIND_ROUTE, "echo", parse_on_off, ROUTE(echo), NO_BOUNDS, "off", KEY_RELOAD, "on | off",
	  "accept WebSocket connections and send every message back, for probes and demonstrations" },

	{ KIND_ROUTE, "handler", parse_script, ROUTE(handler), NO_BOUNDS, "off", KEY_RELOAD | KEY_FILE, "off | PATH",
	  "a Lua script that is the application: it runs for every request, a WebSocket or not" },
	{ KIND_ROUTE, "access", parse_script, ROUTE(access), NO_BOUNDS, "off", KEY_RELOAD | KEY_FILE, "off | PATH",
	  "a Lua script that runs before a request is served: it may refuse it, change its headers, choose the upstream" },
	{ KIND_ROUTE, "log_handler", parse_script, ROUTE(log_handler), NO_BOUNDS, "off", KEY_RELOAD | KEY_FILE, "off | PATH",
	  "a Lua script that runs when a session, or a plain request, is over; it cannot wait" },
	{ KIND_ROUTE, "compat", parse_compat, SETTING(handler.is_strict), NO_BOUNDS, "fixed", KEY_DEFAULTS | KEY_RELOAD, "fixed | strict",
	  "strict: scripts find lua-resty-websocket 0.13 to the letter, its faults included" },
	{ KIND_ROUTE, "client_max_body_size", parse_size, SETTING(handler.body_max), 1, GIB(1), "1m",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "largest body of a request to a handler; a larger one gets 413" },
	{ KIND_ROUTE, "client_body_timeout", parse_time, SETTING(handler.body_timeout_ms), 1, H(24), "60s",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait for the next bytes of a body that a handler reads" },
	{ KIND_ROUTE, "lua_socket_connect_timeout", parse_time, SETTING(handler.connect_timeout_ms), 1, H(24), "60s",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait of a script's socket for a connection, unless the script says otherwise" },
	{ KIND_ROUTE, "lua_socket_send_timeout", parse_time, SETTING(handler.send_timeout_ms), 1, H(24), "60s",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait of a script until what it sends is taken" },
	{ KIND_ROUTE, "lua_socket_read_timeout", parse_time, SETTING(handler.read_timeout_ms), 1, H(24), "60s",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait of a script for bytes" },
	{ KIND_ROUTE, "lua_socket_keepalive_timeout", parse_time, SETTING(handler.keepalive_timeout_ms), 1, H(24), "60s",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "how long a connection that a script has put aside stays in its pool" },
	{ KIND_ROUTE, "lua_socket_pool_size", parse_count, SETTING(handler.pool_size), 1, 100000, "30",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "most connections in such a pool of a worker" },
	{ KIND_ROUTE, "lua_socket_buffer_size", parse_size, SETTING(handler.buffer_size), 64, MIB(1), "64k",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "bytes of a connection that may wait until a script reads them; with more its peer is held up, give or take one receive" },
	{ KIND_ROUTE, "lua_ssl_trusted_certificate", parse_file, ROUTE(lua_tls.trusted), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "for the scripts of this route, in place of [moongate]'s: whom they believe" },
	{ KIND_ROUTE, "lua_ssl_verify_depth", parse_count, ROUTE(lua_tls.depth), 1, 100, NULL, KEY_RELOAD, NULL,
	  "the same: most CAs between a server's certificate and a trusted one" },
	{ KIND_ROUTE, "lua_ssl_ciphers", parse_tls_ciphers, ROUTE(lua_tls.ciphers), NO_BOUNDS, NULL, KEY_RELOAD, "intermediate | NAME:NAME...",
	  "the same: what TLS 1.2 is spoken with" },
	{ KIND_ROUTE, "lua_ssl_protocols", parse_tls_versions, ROUTE(lua_tls.versions), NO_BOUNDS, NULL, KEY_WORDS | KEY_RELOAD, "TLSv1.2 TLSv1.3",
	  "the same: the versions of TLS" },
	{ KIND_ROUTE, "lua_ssl_certificate", parse_file, ROUTE(lua_tls.certificate), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "the same: the certificate for servers that ask for one" },
	{ KIND_ROUTE, "lua_ssl_certificate_key", parse_file, ROUTE(lua_tls.key), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "the same: its private key" },
	{ KIND_ROUTE, "lua_ssl_crl", parse_file, ROUTE(lua_tls.crl), NO_BOUNDS, NULL, KEY_RELOAD | KEY_FILE, "PATH",
	  "the same: lists of revoked certificates" },
	{ KIND_ROUTE, "lua_ssl_conf_command", parse_tls_command, ROUTE(lua_tls.commands), NO_BOUNDS, NULL, KEY_REPEAT | KEY_RELOAD, "NAME VALUE",
	  "the same: commands for OpenSSL; those of [moongate] do not count then" },
	{ KIND_ROUTE, "lua_socket_log_errors", parse_on_off, SETTING(handler.log_errors), NO_BOUNDS, "on",
	  KEY_DEFAULTS | KEY_RELOAD, "on | off", "whether failures of scripts' sockets are in the log" },

	{ KIND_ROUTE, "origin", parse_origin, SETTING(origins), NO_BOUNDS, "any",
	  KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "any | same-host | null | SCHEME://HOST[:PORT]",
	  "an origin whose pages may open connections, as browsers write it; others get 403. The port may be *, "
	  "the host may begin with *. for all names below it; same-host is the host and port of the request" },
	{ KIND_ROUTE, "origin_missing", parse_origin_missing, SETTING(origin_missing), NO_BOUNDS, "allow",
	  KEY_DEFAULTS | KEY_RELOAD, "allow | deny", "what becomes of a request for an upgrade without Origin; browsers always send one" },
	{ KIND_ROUTE, "subprotocol", parse_subprotocol, SETTING(subprotocols), NO_BOUNDS, "any",
	  KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "any | TOKEN",
	  "a subprotocol that clients may offer; others are taken out of the offer before the upstream sees it" },

	{ KIND_ROUTE, "request_set", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME: VALUE",
	  "a header of the request to the upstream, in place of the client's; the value may hold ${remote_addr}, ${remote_port}, ${host}, "
	  "${scheme}, ${listener}, ${route}, ${request_id}, ${upstream}, ${uri}, ${time}, ${tls_version}, ${tls_cipher}, ${tls_server_name}, "
	  "${tls_client_subject}, ${tls_client_issuer} and ${tls_client_fingerprint}. Rules of [defaults] come first" },
	{ KIND_ROUTE, "request_add", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME: VALUE",
	  "a header of the request beside the client's" },
	{ KIND_ROUTE, "request_remove", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME",
	  "a header that does not reach the upstream" },
	{ KIND_ROUTE, "response_set", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME: VALUE",
	  "a header of the answer, the 101 and others, in place of the upstream's; with the same variables" },
	{ KIND_ROUTE, "response_add", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME: VALUE",
	  "a header of the answer beside the upstream's" },
	{ KIND_ROUTE, "response_remove", parse_rule, WHOLE, NO_BOUNDS, NULL, KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "NAME",
	  "a header that does not reach the client" },
	{ KIND_ROUTE, "forwarded", parse_forwarded, SETTING(forwarded), NO_BOUNDS, "replace",
	  KEY_DEFAULTS | KEY_RELOAD, "off | replace | append",
	  "what the upstream learns by X-Forwarded-For, -Proto, -Host and -Port: nothing; what Moongate knows; that, behind what a "
	  "trusted_proxy said. Those that others send never pass" },
	{ KIND_ROUTE, "forwarded_rfc7239", parse_on_off, SETTING(forwarded_rfc7239), NO_BOUNDS, "off",
	  KEY_DEFAULTS | KEY_RELOAD, "on | off", "say the same by Forwarded (RFC 7239) too, unless forwarded is off" },
	{ KIND_ROUTE, "upstream_host", parse_upstream_host, WHOLE, NO_BOUNDS, "keep", KEY_DEFAULTS | KEY_RELOAD,
	  "keep | server | HOST[:PORT]", "the request's Host for the upstream: the client's, the server's name with its port, or this one" },
	{ KIND_ROUTE, "strip_prefix", parse_strip_prefix, WHOLE, NO_BOUNDS, "off", KEY_DEFAULTS | KEY_RELOAD,
	  "off | /PATH", "a prefix of the path, up to a '/' or its end, that the upstream does not see" },
	{ KIND_ROUTE, "replace_prefix", parse_replace_prefix, WHOLE, NO_BOUNDS, "off", KEY_DEFAULTS | KEY_RELOAD,
	  "off | /FROM /TO", "such a prefix of the path, and what stands in its place for the upstream" },
	{ KIND_ROUTE, "request_id", parse_request_id, WHOLE, NO_BOUNDS, "X-Request-Id", KEY_DEFAULTS | KEY_RELOAD,
	  "off | HEADER", "the header by which the upstream, and the log as request=, learn an id of the request: 32 hex digits, or what a trusted_proxy "
	  "sent in that header (1 to 128 of A-Z a-z 0-9 . _ -)" },

	{ KIND_ROUTE, "max_message", parse_size, SETTING(limits.max_message), 125, GIB(1024), "16m",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "longest message accepted, in bytes; a longer one ends the session with 1009" },
	{ KIND_ROUTE, "max_frame", parse_size, SETTING(limits.max_frame), 125, GIB(1024), "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "longest data frame accepted, in bytes" },
	{ KIND_ROUTE, "max_fragments", parse_count, SETTING(limits.max_fragments), 1, 1000000000, "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "most frames that one message may consist of" },
	{ KIND_ROUTE, "send_timeout", parse_time, SETTING(send_timeout_ms), 1, H(24), "30s",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "longest time that a peer may take nothing of what waits for it" },
	{ KIND_ROUTE, "message_timeout", parse_time, SETTING(message_timeout_ms), 1, H(24), "60s",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "longest time that a message may stay unfinished; every KiB received adds a second" },
	{ KIND_ROUTE, "close_timeout", parse_time, SETTING(close_timeout_ms), 1, H(24), "5s",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait for the answer to a close frame, and for the end of the connection after it" },
	{ KIND_ROUTE, "ping_interval", parse_time, SETTING(ping_interval_ms), 1, H(24), "30s",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "a client that was silent for so long is sent a ping" },
	{ KIND_ROUTE, "pong_timeout", parse_time, SETTING(pong_timeout_ms), 1, H(24), "10s",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "longest wait for any sign of life after a ping" },
	{ KIND_ROUTE, "idle_timeout", parse_time, SETTING(idle_timeout_ms), 1, H(24), "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "sessions that carried no message for so long are closed with 1001" },
	{ KIND_ROUTE, "max_lifetime", parse_time, SETTING(max_lifetime_ms), 1, H(24 * 30), "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "sessions that are open for so long, or up to an eighth less, are closed with 1001" },
	{ KIND_ROUTE, "max_control_rate", parse_count, SETTING(max_control_rate), 1, 60000, "1000",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL,
	  "most pings, pongs and empty fragments of a peer in a second; more end the session with 1008" },
	{ KIND_ROUTE, "max_connections", parse_count, SETTING(limit.max_connections), 1, 10000000, "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "most sessions of the route at a time, of all workers together; further requests get 503 with Retry-After" },
	{ KIND_ROUTE, "max_connections_per_address", parse_count, SETTING(limit.max_connections_per_address), 1, 10000000, "off",
	  KEY_OFF | KEY_DEFAULTS | KEY_RELOAD, NULL, "the same of one client address; further requests get 429" },
	{ KIND_ROUTE, "handshake_rate", parse_rate, SETTING(limit.rate), NO_BOUNDS, "off",
	  KEY_DEFAULTS | KEY_RELOAD, "off | N/s | N/m | N/h, N of 1..1000000",
	  "most requests to open a session in a second, minute or hour; more get 503 with Retry-After" },
	{ KIND_ROUTE, "handshake_burst", parse_count, SETTING(limit.burst), 1, 1000000, "auto",
	  KEY_AUTO | KEY_DEFAULTS | KEY_RELOAD, NULL, "so many of them may come at once after a pause; auto: the N of the rate" },
	{ KIND_ROUTE, "handshake_rate_per_address", parse_rate, SETTING(limit.rate_per_address), NO_BOUNDS, "off",
	  KEY_DEFAULTS | KEY_RELOAD, "off | N/s | N/m | N/h, N of 1..1000000", "the same for one client address; more get 429" },
	{ KIND_ROUTE, "handshake_burst_per_address", parse_count, SETTING(limit.burst_per_address), 1, 1000000, "auto",
	  KEY_AUTO | KEY_DEFAULTS | KEY_RELOAD, NULL, "the same for one client address" },
	{ KIND_ROUTE, "address_prefix_ipv6", parse_count, SETTING(limit.prefix_ipv6), 1, 128, "64",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "so many leading bits of an IPv6 address count as one client address" },
	{ KIND_ROUTE, "limit_exempt", parse_exempt, SETTING(limit.exempt), NO_BOUNDS, "none",
	  KEY_REPEAT | KEY_DEFAULTS | KEY_RELOAD, "none | ADDRESS[/BITS]",
	  "client addresses that the limits per address are not for; those in a route replace those in [defaults]" },
	{ KIND_ROUTE, "max_queue", parse_size, SETTING(max_queue), KIB(4), MIB(64), "64k",
	  KEY_DEFAULTS | KEY_RELOAD, NULL, "bytes that may wait for a slow peer before reading from the other stops" },
	{ KIND_ROUTE, "remask", parse_remask, SETTING(remask), NO_BOUNDS, "auto",
	  KEY_DEFAULTS | KEY_RELOAD, "auto | on | off",
	  "give frames to the upstream fresh mask keys; auto: when its address is neither private nor loopback" },

	{ KIND_SHARED_DICT, "size", parse_size, SHARED(size), KIB(8), GIB(64), NULL, KEY_REQUIRED | KEY_RELOAD, NULL,
	  "memory that its keys and values may take; what was not used for longest makes room for what is new" },
};
/* clang-format on */
const size_t schema_key_n = sizeof schema_key / sizeof schema_key[0];
_Static_assert(sizeof schema_key / sizeof schema_key[0] <= SCHEMA_KEYS_MAX, "tables by row fit");

const struct schema_section *schema_find_section(const char *kind)
{
	for (size_t i = 0; i < KIND_N; i++)
		if (strcmp(schema_section[i].name, kind) == 0)
			return &schema_section[i];
	return NULL;
}

bool schema_allows(enum schema_kind kind, const struct schema_key *k)
{
	return k->kind == kind || (kind == KIND_DEFAULTS && (k->flags & KEY_DEFAULTS));
}

const struct schema_key *schema_find(enum schema_kind kind, const char *name)
{
	for (size_t i = 0; i < schema_key_n; i++)
		if (schema_allows(kind, &schema_key[i]) && strcmp(schema_key[i].name, name) == 0)
			return &schema_key[i];
	return NULL;
}

bool schema_is_key(struct slice name)
{
	for (size_t i = 0; i < schema_key_n; i++)
		if (slice_equal(slice_str(schema_key[i].name), name))
			return true;
	return false;
}

const struct schema_section *schema_elsewhere(enum schema_kind kind, const char *name)
{
	for (size_t i = 0; i < KIND_N; i++)
		if (i != kind && schema_find((enum schema_kind)i, name))
			return &schema_section[i];
	return NULL;
}

bool schema_is_led(const struct schema_key *lead, const struct schema_key *k)
{
	size_t len = strlen(lead->name);
	return k->kind == lead->kind && strncmp(k->name, lead->name, len) == 0 &&
	       k->name[len] == '_';
}

struct unit {
	uint64_t factor;
	const char *name;
};

/* A number in the largest unit that holds it whole. */
static void print_bound(FILE *out, uint64_t n, const struct unit *units, size_t unit_n)
{
	for (size_t i = 0; i < unit_n; i++) {
		if (n >= units[i].factor && n % units[i].factor == 0) {
			fprintf(out, "%" PRIu64 "%s", n / units[i].factor, units[i].name);
			return;
		}
	}
	fprintf(out, "%" PRIu64 "%s", n, unit_n > 0 ? units[unit_n - 1].name : "");
}

static void print_number(FILE *out, const struct schema_key *k, uint64_t n)
{
	static const struct unit sizes[] = {{GIB(1), "g"}, {MIB(1), "m"}, {KIB(1), "k"}, {1, ""}};
	static const struct unit times[] = {{H(1), "h"}, {S(60), "m"}, {S(1), "s"}, {1, "ms"}};
	print_bound(
	        out, n, k->parse == parse_size ? sizes : times, k->parse == parse_count ? 0 : 4);
}

static void print_bounds(FILE *out, const struct schema_key *k)
{
	print_number(out, k, k->min);
	fputs("..", out);
	print_number(out, k, k->max);
}

static bool is_number(const struct schema_key *k)
{
	return k->parse == parse_size || k->parse == parse_time || k->parse == parse_count;
}

static uint64_t number_of(const struct schema_key *k, const void *field)
{
	uint64_t wide = 0;
	uint32_t narrow;
	if (k->size == sizeof wide) {
		memcpy(&wide, field, sizeof wide);
		return wide;
	}
	memcpy(&narrow, field, sizeof narrow);
	return narrow;
}

static const char *remask_word(enum route_remask r)
{
	return r == REMASK_ON ? "on" : r == REMASK_OFF ? "off" : "auto";
}

static void print_rate(const struct limit_rate *r, char out[SCHEMA_FORM_MAX])
{
	const char *unit = r->per_ms == 1000 ? "s" : r->per_ms == 60000 ? "m" : "h";
	if (r->n == 0)
		snprintf(out, SCHEMA_FORM_MAX, "off");
	else
		snprintf(out, SCHEMA_FORM_MAX, "%" PRIu32 "/%s", r->n, unit);
}

bool schema_value(const struct schema_key *k, const void *field, char out[SCHEMA_FORM_MAX])
{
	if (k->parse == parse_remask) {
		snprintf(
		        out, SCHEMA_FORM_MAX, "%s", remask_word(*(const enum route_remask *)field));
		return true;
	}
	if (k->parse == parse_rate) {
		print_rate(field, out);
		return true;
	}
	if (!is_number(k))
		return false;
	uint64_t n = number_of(k, field);
	if (n == 0) {
		snprintf(out, SCHEMA_FORM_MAX, "%s",
		        k->flags & KEY_OFF    ? "off"
		        : k->flags & KEY_AUTO ? "auto"
		                              : "0");
		return true;
	}
	FILE *f = fmemopen(out, SCHEMA_FORM_MAX, "w");
	if (!f)
		return false;
	print_number(f, k, n);
	fclose(f);
	return true;
}

const char *schema_form(const struct schema_key *k, char out[SCHEMA_FORM_MAX])
{
	if (k->form) {
		snprintf(out, SCHEMA_FORM_MAX, "%s", k->form);
		return out;
	}
	FILE *f = fmemopen(out, SCHEMA_FORM_MAX, "w");
	if (!f)
		return "";
	if (k->flags & (KEY_OFF | KEY_AUTO | KEY_ZERO))
		fputs(k->flags & KEY_OFF ? "off | " : k->flags & KEY_AUTO ? "auto | " : "0 | ", f);
	print_bounds(f, k);
	fclose(f);
	return out;
}

enum { NAME_MAX_COMPARED = 32 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits that turn one word into the other: a letter put in, left out, replaced, or
 * two neighbours swapped. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > NAME_MAX_COMPARED || m > NAME_MAX_COMPARED)
		return UINT32_MAX;
	unsigned d[NAME_MAX_COMPARED + 1][NAME_MAX_COMPARED + 1];
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned change = a[i - 1] == b[j - 1] ? 0 : 1;
			d[i][j] = least(
			        least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

/* Keeps the nearer of two candidates; one that shares too little is none. */
static void consider(
        const char **best, unsigned *best_distance, const char *word, const char *meant)
{
	unsigned d = distance(word, meant);
	if (d < *best_distance && d <= 1 + strlen(meant) / 4) {
		*best = meant;
		*best_distance = d;
	}
}

const char *schema_suggest_key(enum schema_kind kind, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;
	for (size_t i = 0; i < schema_key_n; i++)
		if (schema_allows(kind, &schema_key[i]))
			consider(&best, &best_distance, name, schema_key[i].name);
	return best;
}

const char *schema_suggest_section(const char *kind)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;
	for (size_t i = 0; i < KIND_N; i++)
		consider(&best, &best_distance, kind, schema_section[i].name);
	return best;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole configurations: what is accepted, and what is refused in which words. */
#include "config/config.h"

#include "base/mem.h"
#include "config/schema.h"
#include "http/head.h"
#include "proxy/tokens.h"
#include "upstream/group.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTENER "[listener l]\nbind = 127.0.0.1:8080\n"
#define UPSTREAM "[upstream u]\nserver = ws://127.0.0.1:9000\n"
#define ROUTE    "[route r]\nupstream = u\n"

/* The lines are the text, in its order, and as many of them are no warnings as can be. */
static void check_lines(const struct config_errors *e)
{
	size_t at = 0, wrong = 0;
	for (size_t i = 0; i < e->line_n; i++) {
		ck_assert_uint_eq(e->line[i].at, at);
		at += e->line[i].len;
		wrong += !e->line[i].is_warning;
		ck_assert_int_eq(e->text[at++], i + 1 < e->line_n ? '\n' : '\0');
	}
	ck_assert((e->text == NULL) == (e->line_n == 0));
	ck_assert(e->n > PROBLEMS_MAX ? wrong == PROBLEMS_MAX + 1 : wrong == e->n);
}

static struct config *load(const char *text, struct config_errors *errors)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, len);
	struct config *c = config_load_text("t", exact, len, errors);
	free(exact);
	ck_assert((c == NULL) == (errors->n > 0));
	check_lines(errors);
	return c;
}

static struct config *accept_text(const char *text)
{
	struct config_errors errors;
	struct config *c = load(text, &errors);
	ck_assert_msg(c && !errors.text, "%s\n%s", text, errors.text ? errors.text : "");
	return c;
}

static void refuse(const char *text, const char *want)
{
	struct config_errors errors;
	ck_assert_ptr_null(load(text, &errors));
	ck_assert_str_eq(errors.text, want);
	config_errors_free(&errors);
}

/* One more line in a section of a sound configuration. */
static void in_section(char *out, size_t size, const char *section, const char *line)
{
	snprintf(out, size, "%s%s%s%s%s%s%s%s%s%s", LISTENER,
	        strcmp(section, "listener") == 0 ? line : "", "\n", UPSTREAM,
	        strcmp(section, "upstream") == 0 ? line : "", "\n", ROUTE,
	        strcmp(section, "route") == 0 ? line : "", "\n[defaults]\n",
	        strcmp(section, "defaults") == 0 ? line : "");
}

static struct config *accept_line(const char *section, const char *line)
{
	char text[1000];
	in_section(text, sizeof text, section, line);
	return accept_text(text);
}

/* The line is refused, and only it; what is said ends so. */
static void refuse_line(const char *section, const char *line, const char *why)
{
	char text[1000];
	struct config_errors errors;
	in_section(text, sizeof text, section, line);
	ck_assert_msg(load(text, &errors) == NULL, "%s", line);
	size_t told = strlen(errors.text), len = strlen(why);
	ck_assert_msg(told >= len && strcmp(errors.text + told - len, why) == 0 && errors.n == 1,
	        "%s: %s", line, errors.text);
	config_errors_free(&errors);
}

static struct route *route_at(const struct config *c, const char *path)
{
	struct route *r = route_find(c->routes, &(struct route_query){.path = slice_str(path)});
	ck_assert_ptr_nonnull(r);
	return r;
}

START_TEST(defaults_of_everything)
{
	struct config *c = accept_text(LISTENER UPSTREAM ROUTE);
	ck_assert_uint_eq(c->workers, 0);
	ck_assert_str_eq(c->log, "stderr");
	ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(c->drain_timeout_ms, 10000);
	ck_assert_uint_eq(c->listener_n, 1);
	ck_assert_str_eq(c->listener[0]->name, "l");
	ck_assert_uint_eq(c->listener[0]->number, 0);
	ck_assert_uint_eq(c->listener[0]->handshake_timeout_ms, 10000);
	ck_assert_uint_eq(c->listener[0]->keepalive_timeout_ms, 60000);
	ck_assert_uint_eq(c->bind_n, 1);
	ck_assert_ptr_eq(c->bind[0].listener, c->listener[0]);
	ck_assert_str_eq(c->bind[0].text, "127.0.0.1:8080");
	ck_assert_uint_eq(address_port(&c->bind[0].settings.address), 8080);
	ck_assert_int_eq(c->bind[0].settings.backlog, 4096);
	ck_assert_uint_eq(c->bind[0].settings.mode, 0);
	ck_assert_uint_eq(c->bind[0].settings.owner, (uid_t)-1);
	ck_assert_uint_eq(c->bind[0].settings.group, (gid_t)-1);
	ck_assert_uint_eq(c->bind[0].settings.socket.send_buffer, 0);
	ck_assert_uint_eq(c->bind[0].settings.socket.keepalive_ms, 30000);
	ck_assert_uint_eq(c->bind[0].settings.socket.user_timeout_ms, 30000);
	ck_assert_uint_eq(c->memory_max, CONFIG_MEMORY_AUTO);
	const struct route *r = route_at(c, "/x");
	ck_assert_str_eq(r->name, "r");
	ck_assert_int_eq(r->action, ROUTE_UPSTREAM);
	ck_assert_uint_eq(r->listeners, 0);
	ck_assert_str_eq(r->group->members->server[0].name, "127.0.0.1:9000");
	ck_assert_ptr_null(r->group->members->server[0].host);
	ck_assert_uint_eq(r->group->connect_timeout_ms, 5000);
	ck_assert_uint_eq(r->group->socket.keepalive_ms, 30000);
	ck_assert_uint_eq(r->group->socket.user_timeout_ms, 30000);
	const struct route_settings *s = &r->settings;
	ck_assert_uint_eq(s->limits.max_message, 16 << 20);
	ck_assert_uint_eq(s->limits.max_frame, 0);
	ck_assert_uint_eq(s->limits.max_fragments, 0);
	ck_assert_uint_eq(s->send_timeout_ms, 30000);
	ck_assert_uint_eq(s->message_timeout_ms, 60000);
	ck_assert_uint_eq(s->close_timeout_ms, 5000);
	ck_assert_uint_eq(s->ping_interval_ms, 30000);
	ck_assert_uint_eq(s->pong_timeout_ms, 10000);
	ck_assert_uint_eq(s->idle_timeout_ms, 0);
	ck_assert_uint_eq(s->max_queue, 64 << 10);
	ck_assert_int_eq(s->remask, REMASK_AUTO);
	config_free(c);
	config_free(NULL);
}
END_TEST

START_TEST(everything_set)
{
	struct config *c =
	        accept_text("[route r]\nlistener = l\nlistener = m\npath = /a/*\nupstream = u\n"
	                    "max_message = off\nidle_timeout = 2h\nremask = on\n"
	                    "[route s]\nlistener = m\npath = /\nrespond = 301 https://e.org/x\n"
	                    "[route t]\npath = /t\necho = on\n"
	                    "[route v]\npath = /v\nrespond = 204\n"
	                    "[upstream u]\nserver = ws://Host.example\nconnect_timeout = 250ms\n"
	                    "send_buffer = 2k\nreceive_buffer = 16m\ntcp_keepalive = off\n"
	                    "tcp_user_timeout = 500ms\n"
	                    "[listener l]\nbind = [::1]:1\nbind = unix:/run/x.sock\nmode = 0640\n"
	                    "owner = 7\ngroup = 8\nbacklog = 1\nhandshake_timeout = 1ms\n"
	                    "keepalive_timeout = 2m\nsend_buffer=65536\nreceive_buffer = 64k\n"
	                    "[listener m]\nbind = 0.0.0.0:65535\ntcp_keepalive = 2h\n"
	                    "tcp_user_timeout = off\n"
	                    "[defaults]\nmax_message = 1g\nmax_frame = 125\nmax_queue = 4k\n"
	                    "max_fragments = 7\nremask = off\n"
	                    "[moongate]\nworkers = 64\nlog = x.log\nlog_level = debug\n"
	                    "drain_timeout = 0s\nmemory_max = 2g\n");
	ck_assert_uint_eq(c->workers, 64);
	ck_assert_uint_eq(c->memory_max, UINT64_C(2) << 30);
	ck_assert_str_eq(c->log, "x.log");
	ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(c->drain_timeout_ms, 0);
	ck_assert_uint_eq(c->bind_n, 3);
	ck_assert_int_eq(c->bind[0].settings.address.sa.sa_family, AF_INET6);
	ck_assert_str_eq(c->bind[1].settings.address.un.sun_path, "/run/x.sock");
	ck_assert_uint_eq(c->bind[1].settings.mode, 0640);
	ck_assert_uint_eq(c->bind[1].settings.owner, 7);
	ck_assert_uint_eq(c->bind[1].settings.group, 8);
	ck_assert_int_eq(c->bind[1].settings.backlog, 1);
	ck_assert_uint_eq(c->bind[1].settings.socket.send_buffer, 65536);
	ck_assert_uint_eq(c->bind[1].settings.socket.receive_buffer, 65536);
	ck_assert_ptr_eq(c->bind[2].listener, c->listener[1]);
	ck_assert_uint_eq(c->bind[2].settings.socket.keepalive_ms, 7200000);
	ck_assert_uint_eq(c->bind[2].settings.socket.user_timeout_ms, 0);
	const struct upstream_group *u = route_at(c, "/a/b")->group;
	ck_assert_uint_eq(u->socket.keepalive_ms, 0);
	ck_assert_uint_eq(u->socket.user_timeout_ms, 500);
	ck_assert_uint_eq(c->listener[0]->handshake_timeout_ms, 1);
	ck_assert_uint_eq(c->listener[0]->keepalive_timeout_ms, 120000);
	ck_assert_uint_eq(c->route_n, 4);
	const struct route *r = route_at(c, "/a/b");
	ck_assert_uint_eq(r->listeners, 3);
	ck_assert_str_eq(r->path, "/a/");
	ck_assert(r->prefix);
	ck_assert_uint_eq(r->settings.limits.max_message, 0);
	ck_assert_uint_eq(r->settings.limits.max_frame, 125);
	ck_assert_uint_eq(r->settings.idle_timeout_ms, 7200000);
	ck_assert_int_eq(r->settings.remask, REMASK_ON);
	ck_assert_str_eq(r->group->members->server[0].name, "Host.example:80");
	ck_assert_str_eq(r->group->members->server[0].host, "Host.example");
	ck_assert_uint_eq(r->group->members->server[0].port, 80);
	ck_assert_uint_eq(r->group->socket.receive_buffer, 16 << 20);
	const struct route *s =
	        route_find(c->routes, &(struct route_query){.listener = 1, .path = SLICE("/")});
	ck_assert_int_eq(s->action, ROUTE_RESPOND);
	ck_assert_uint_eq(s->respond_status, 301);
	ck_assert_str_eq(s->respond_location, "https://e.org/x");
	ck_assert_uint_eq(s->settings.limits.max_message, 1 << 30);
	ck_assert_uint_eq(s->settings.max_queue, 4096);
	ck_assert_uint_eq(s->settings.limits.max_fragments, 7);
	ck_assert_int_eq(s->settings.remask, REMASK_OFF);
	ck_assert_int_eq(route_at(c, "/t")->action, ROUTE_ECHO);
	ck_assert_uint_eq(route_at(c, "/v")->respond_status, 204);
	ck_assert_ptr_null(route_at(c, "/v")->respond_location);
	config_free(c);
}
END_TEST

static struct config *with_logs(const char *keys)
{
	char text[1024];
	snprintf(text, sizeof text, "[moongate]\n%s\n" LISTENER "[route r]\necho=on\n", keys);
	return accept_text(text);
}

START_TEST(logs)
{
	struct config *c = with_logs("");
	ck_assert_str_eq(c->log, "stderr");
	ck_assert_uint_eq(c->log_rate, 50);
	ck_assert_ptr_null(c->access_log);
	ck_assert(!c->access.is_on && !c->access.at_start);
	ck_assert_uint_eq(c->access.sample, 100);
	ck_assert_uint_eq(c->access.fields, ACCESS_ALL);
	ck_assert_int_eq(c->access.format, RECORD_JSON);
	config_free(c);
	c = with_logs("log = journal\nlog_rate = off\naccess_log = syslog:/run/x\n"
	              "access_log_format = text\naccess_log_fields = id \tstatus  cut\n"
	              "access_log_sample = 1%\naccess_log_start = on");
	ck_assert_str_eq(c->log, "journal");
	ck_assert_uint_eq(c->log_rate, 0);
	ck_assert_str_eq(c->access_log, "syslog:/run/x");
	ck_assert(c->access.is_on && c->access.at_start);
	ck_assert_uint_eq(c->access.sample, 1);
	ck_assert_uint_eq(c->access.fields, UINT64_C(1) << ACCESS_id |
	                                            UINT64_C(1) << ACCESS_status |
	                                            UINT64_C(1) << ACCESS_cut);
	ck_assert_int_eq(c->access.format, RECORD_TEXT);
	config_free(c);
	/* Only these words are services. */
	c = with_logs("log = syslogd\naccess_log = journal.txt\nlog_rate = 1000000/s");
	ck_assert_str_eq(c->log, "syslogd");
	ck_assert_str_eq(c->access_log, "journal.txt");
	ck_assert_uint_eq(c->log_rate, 1000000);
	config_free(c);
}
END_TEST

START_TEST(bad_logs)
{
	static const char *const bad[][2] = {
	        {"log_rate = 0/s", "want off | N/s, N of 1..1000000"},
	        {"log_rate = 1000001/s", "want off | N/s, N of 1..1000000"},
	        {"log_rate = 50", "want off | N/s, N of 1..1000000"},
	        {"log_rate = 50/m", "want off | N/s, N of 1..1000000"},
	        {"access_log = stderr", "want a path, as /dev/stdout: stderr is the log's"},
	        {"access_log_format = xml", "want json | text"},
	        {"access_log_fields = id ids", "no field ids: moongate.conf(5) lists them"},
	        {"access_log_sample = 0%", "want 1%..100%"},
	        {"access_log_sample = 101%", "want 1%..100%"},
	        {"access_log_sample = 50", "want 1%..100%"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[256], want[256];
		snprintf(text, sizeof text, "[moongate]\n%s\n" LISTENER "[route r]\necho=on\n",
		        bad[i][0]);
		snprintf(want, sizeof want, "t:2: [moongate] %s: %s", bad[i][0], bad[i][1]);
		refuse(text, want);
	}
}
END_TEST

START_TEST(k01_empty)
{
	static const char none[] =
	        "t: no listener: want [listener NAME] with bind = ADDRESS:PORT\n"
	        "t: no route: want [route NAME] with upstream = NAME, handler = PATH, respond = "
	        "STATUS or echo = on";
	refuse("", none);
	refuse("\n# nothing\n", none);
	refuse(LISTENER, strchr(none, '\n') + 1);
	refuse("[route r]\necho = on\n",
	        "t: no listener: want [listener NAME] with bind = ADDRESS:PORT");
}
END_TEST

START_TEST(k02_unknown)
{
	refuse(LISTENER "[rout r]\necho = on\n[route x]\necho = on\n",
	        "t:3: [rout r]: unknown section: did you mean [route]?");
	refuse(LISTENER "[nonsense]\n[route x]\necho = on\n", "t:3: [nonsense]: unknown section");
	/* What is missing for it comes behind it: the first error is one that has a line. */
	refuse("[lisener l]\nbind = 127.0.0.1:1\n[route x]\necho = on\n",
	        "t:1: [lisener l]: unknown section: did you mean [listener]?\n"
	        "t: no listener: want [listener NAME] with bind = ADDRESS:PORT");
	refuse("[listener l]\nbnd = 127.0.0.1:1\n[route r]\necho = on\n",
	        "t:2: [listener l] bnd = 127.0.0.1:1: unknown key: did you mean 'bind'?");
	refuse_line("route", "max_mesage = 1m",
	        "max_mesage = 1m: unknown key: did you mean 'max_message'?");
	refuse_line("route", "pnig_interval = 1s", "unknown key: did you mean 'ping_interval'?");
	refuse_line("route", "bind = 127.0.0.1:1", "unknown key: it belongs in [listener NAME]");
	refuse_line("route", "workers = 1", "unknown key: it belongs in [moongate]");
	refuse_line("defaults", "path = /x", "unknown key: it belongs in [route NAME]");
	refuse_line("defaults", "zzz = /x", "[defaults] zzz = /x: unknown key");
	refuse_line("route", "Echo = off", "unknown key: did you mean 'echo'?");
	refuse("[listener]\nbind = 127.0.0.1:1\n[moongate x]\n[route r]\necho=on\n[listener "
	       "l]\nbind=127.0.0.1:2\n",
	        "t:1: [listener]: want a name: [listener NAME]\nt:3: [moongate x]: want no name: "
	        "[moongate]");
}
END_TEST

START_TEST(k03_repeated)
{
	refuse_line("route", "max_message = 1m\nmax_message = 2m",
	        "t:10: [route r] max_message = 2m: given before, at t:9");
	refuse_line("route", "listener = l\nlistener = l",
	        "listener = l: given before in this section");
	refuse(LISTENER "[listener l]\nbind = 127.0.0.1:1\n[route r]\necho=on\n",
	        "t:3: [listener l]: given before, at t:1");
	refuse(LISTENER "[defaults]\nmax_queue = 4k\n[route r]\necho=on\n[defaults]\n",
	        "t:7: [defaults]: given before, at t:3");
	refuse("[moongate]\n" LISTENER "[route r]\necho=on\n[moongate]\nworkers=1\n",
	        "t:6: [moongate]: given before, at t:1");
}
END_TEST

START_TEST(k04_memory)
{
	static const char *const sound[] = {"8m", "1024g", "off", "auto", "1234567890", NULL};
	static const char *const bad[] = {"7m", "1025g", "0", "no", "64", "-1", NULL};
	char text[200], want[200];
	for (int i = 0; sound[i]; i++) {
		snprintf(text, sizeof text, "[moongate]\nmemory_max = %s\n" LISTENER UPSTREAM ROUTE,
		        sound[i]);
		struct config *c = accept_text(text);
		ck_assert(i != 2 || c->memory_max == CONFIG_MEMORY_OFF);
		ck_assert(i != 3 || c->memory_max == CONFIG_MEMORY_AUTO);
		config_free(c);
	}
	for (int i = 0; bad[i]; i++) {
		snprintf(text, sizeof text, "[moongate]\nmemory_max = %s\n" LISTENER UPSTREAM ROUTE,
		        bad[i]);
		snprintf(want, sizeof want,
		        "t:2: [moongate] memory_max = %s: want auto | off | 8m..1024g", bad[i]);
		refuse(text, want);
	}
	refuse("[moongate]\nmemory_max = 64 m\n" LISTENER UPSTREAM ROUTE,
	        "t:2: [moongate] memory_max = 64 m: want auto | off | 8m..1024g; a size is a whole "
	        "number with k, m or g, such as 16m");
}
END_TEST

START_TEST(k04_numbers)
{
	static const char *const sizes[] = {"", "0", "-1", "+200", "124", "1025g",
	        "18446744073709551616", "18446744073709551615g", "99999999999999999999999", "k",
	        "auto", "Off", "\xd9\xa3", NULL};
	static const char *const no_sizes[] = {
	        "0x100", "1e3", "200 k", "200kb", "200kk", "1.5m", "200;", NULL};
	static const char *const times[] = {"", "0", "0s", "-1s", "+1s", "25h",
	        "18446744073709551615h", "18446744073709551616s", "s", "ms", "1s ", NULL};
	static const char *const no_times[] = {"1 s", "1sec", "0x1s", "1d", "1S", "1.5s", NULL};
	static const char *const queues[] = {"0", "4095", "off", "65m", "67108865", "-4k", NULL};
	char line[100];
	for (int i = 0; sizes[i]; i++) {
		snprintf(line, sizeof line, "max_message = %s", sizes[i]);
		refuse_line("route", line, ": want off | 125..1024g");
	}
	for (int i = 0; no_sizes[i]; i++) {
		snprintf(line, sizeof line, "max_message = %s", no_sizes[i]);
		refuse_line("route", line,
		        ": want off | 125..1024g; a size is a whole number with k, m or g, such as "
		        "16m");
	}
	for (int i = 0; no_times[i]; i++) {
		snprintf(line, sizeof line, "idle_timeout = %s", no_times[i]);
		refuse_line("route", line,
		        ": want off | 1ms..24h; a time is a whole number with ms, s, m or h, such "
		        "as 10s");
	}
	for (int i = 0; times[i]; i++) {
		snprintf(line, sizeof line, "idle_timeout = %s", times[i]);
		if (strcmp(times[i], "1s ") == 0)
			config_free(accept_line("route", line));
		else
			refuse_line("route", line,
			        strcmp(times[i], "0") == 0
			                ? ": want a time with a unit, such as 10s"
			                : ": want off | 1ms..24h");
	}
	for (int i = 0; queues[i]; i++) {
		snprintf(line, sizeof line, "max_queue = %s", queues[i]);
		refuse_line("defaults", line, ": want 4k..64m");
	}
	refuse_line("route", "idle_timeout = 10", "want a time with a unit, such as 10s");
	refuse_line("route", "close_timeout = off", "want 1ms..24h");
	refuse_line("route", "max_fragments = 1k", "want off | 1..1000000000");
	refuse_line("listener", "send_buffer = 2047", "want 0 | 2k..16m");
	refuse_line("listener", "send_buffer = off", "want 0 | 2k..16m");
	refuse_line("listener", "tcp_keepalive = 999ms", "want off | 1s..2h");
	refuse_line("listener", "tcp_user_timeout = 0s", "want off | 1ms..24h");
	refuse_line("listener", "backlog = 65536", "want 1..65535");
	refuse("[moongate]\nworkers = 0\n" LISTENER "[route r]\necho=on\n",
	        "t:2: [moongate] workers = 0: want auto | 1..64");
	refuse("[moongate]\nworkers = 65\n" LISTENER "[route r]\necho=on\n",
	        "t:2: [moongate] workers = 65: want auto | 1..64");
}
END_TEST

START_TEST(words)
{
	refuse("[moongate]\nlog_level = loud\n" LISTENER "[route r]\necho=on\n",
	        "t:2: [moongate] log_level = loud: want error | warn | info | debug");
	refuse("[moongate]\nlog =\n" LISTENER "[route r]\necho=on\n",
	        "t:2: [moongate] log = : want stderr | syslog[:PATH] | journal[:PATH] | PATH");
	refuse_line("route", "remask = yes", "want auto | on | off");
	refuse("[listener l]\nbind = unix:/x\n[route r]\necho = yes\n",
	        "t:4: [route r] echo = yes: want on | off");
}
END_TEST

START_TEST(k05_binds)
{
	refuse_line("listener", "bind = 127.0.0.1:0", "want a port of 1..65535");
	refuse_line("listener", "bind = 127.0.0.1:65536", "want a port of 1..65535");
	refuse_line("listener", "bind = [::1]:0", "want a port of 1..65535");
	refuse_line("listener", "bind = 127.0.0.1:", "want a port of 1..65535");
	refuse_line("listener", "bind = 127.0.0.1:-1", "want a port of 1..65535");
	refuse_line("listener", "bind = 127.0.0.1:80x", "want a port of 1..65535");
	refuse_line(
	        "listener", "bind = 8081", "want ADDRESS:PORT | [IPV6]:PORT | unix:PATH | fd:NAME");
	refuse_line("listener", "bind =", "want ADDRESS:PORT | [IPV6]:PORT | unix:PATH | fd:NAME");
	refuse_line("listener", "bind = localhost:80", "names are not looked up here");
	refuse_line("listener", "bind = ::1:80", "names are not looked up here");
	refuse_line("listener", "bind = 127.0.0.1:81 127.0.0.1:82",
	        "names are not looked up here; the key may be given again for more");
	refuse_line("listener", "bind = unix:", "want a path behind unix:");
	refuse_line("listener",
	        "bind = "
	        "unix:/"
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	        "aa"
	        "aaaaaaaaaaaaaaaaaaaaaaa",
	        "socket path of 108 bytes: want at most 107");
	refuse_line("listener", "bind = 127.0.0.1:8080",
	        "t:3: [listener l] bind = 127.0.0.1:8080: taken by [listener l] bind = "
	        "127.0.0.1:8080, at t:2");
	refuse(LISTENER "[listener m]\nbind = [::]:1\nbind = 0.0.0.0:8080\n[route r]\necho = on\n",
	        "t:5: [listener m] bind = 0.0.0.0:8080: taken by [listener l] bind = "
	        "127.0.0.1:8080, at t:2");
	refuse("[listener a]\nbind = unix:/x\n[listener b]\nbind = unix:/x\n[route r]\necho = on\n",
	        "t:4: [listener b] bind = unix:/x: taken by [listener a] bind = unix:/x, at t:2");
	config_free(accept_line(
	        "listener", "bind = 127.0.0.2:8080\nbind = [::1]:8080\nbind = [::]:8081"));
}
END_TEST

/* Without any that were passed, one is expected; what is missing is told at the start. */
START_TEST(binds_that_are_passed)
{
	struct config *c = accept_line("listener", "bind = fd:web\nbind = fd:other");
	ck_assert_uint_eq(c->bind_n, 3);
	ck_assert_ptr_null(c->bind[0].settings.passed);
	ck_assert_str_eq(c->bind[1].settings.passed, "web");
	ck_assert_str_eq(c->bind[2].settings.passed, "other");
	ck_assert_uint_eq(c->bind[2].settings.passed_number, 0);
	ck_assert_uint_eq(c->bind[2].settings.address.len, 0);
	config_free(c);
	const char *want = "want a name behind fd:, without blanks and ':'";
	refuse_line("listener", "bind = fd:", want);
	refuse_line("listener", "bind = fd:a:b", want);
	refuse_line("listener", "bind = fd:a b",
	        "without blanks and ':'; the key may be given again for more");
	refuse_line("listener", "bind = fd:w\xc3\xa4", want);
	refuse_line("listener", "bind = fd:web\nbind = fd:web",
	        "t:4: [listener l] bind = fd:web: taken by [listener l] bind = fd:web, at t:3");
	refuse("[listener l]\nbind = fd:web\nmode = 0600\n[route r]\necho = on\n",
	        "t:3: [listener l] mode = 0600: only a unix socket has one: want a bind = "
	        "unix:PATH");
}
END_TEST

static void identity(const char *text, uid_t uid, gid_t gid)
{
	char all[1000];
	snprintf(all, sizeof all, "[moongate]\n%s\n%s%s%s", text, LISTENER, UPSTREAM, ROUTE);
	struct config *c = accept_text(all);
	ck_assert_ptr_nonnull(c->identity.user);
	ck_assert_uint_eq(c->identity.uid, uid);
	ck_assert_uint_eq(c->identity.gid, gid);
	config_free(c);
}

static void refuse_process(const char *text, const char *want)
{
	char all[1000];
	snprintf(all, sizeof all, "[moongate]\n%s\n%s%s%s", text, LISTENER, UPSTREAM, ROUTE);
	refuse(all, want);
}

START_TEST(users_and_groups)
{
	const struct passwd *nobody = getpwnam("nobody");
	ck_assert_ptr_nonnull(nobody);
	uid_t uid = nobody->pw_uid;
	gid_t gid = nobody->pw_gid;
	char text[100];
	identity("user = nobody", uid, gid);
	identity("user = nobody\ngroup = 23456", uid, 23456);
	identity("group = root\nuser = nobody", uid, 0);
	identity("user = 12345\ngroup = 23456", 12345, 23456);
	snprintf(text, sizeof text, "user = %u", uid);
	identity(text, uid, gid);
	struct config *c = accept_text(LISTENER UPSTREAM ROUTE);
	ck_assert_ptr_null(c->identity.user);
	ck_assert(!c->core_dumps);
	config_free(c);
	refuse_process("user = no-such-user",
	        "t:2: [moongate] user = no-such-user: no such user: want a name or number");
	refuse_process("user =", "t:2: [moongate] user = : no such user: want a name or number");
	refuse_process("user = 12345", "t:2: [moongate] user = 12345: is not listed among the "
	                               "users, so want group = GROUP too");
	refuse_process("user = 4294967295", "t:2: [moongate] user = 4294967295: no such user: want "
	                                    "a name or number");
	refuse_process("group = root",
	        "t:2: [moongate] group = root: does nothing: want user = USER "
	        "too");
	refuse_process("user = nobody\ngroup = no-such", "t:3: [moongate] group = no-such: no such "
	                                                 "group: want a name or number");
	refuse_process("core_dumps = yes", "t:2: [moongate] core_dumps = yes: want on | off");
}
END_TEST

START_TEST(unix_keys)
{
	refuse_line(
	        "listener", "mode = 0660", "only a unix socket has one: want a bind = unix:PATH");
	refuse_line("listener", "bind = unix:/x\nmode = 0",
	        "want an octal mode of 0001 to 0777, such as 0660");
	refuse_line("listener", "bind = unix:/x\nmode = 1777",
	        "want an octal mode of 0001 to 0777, such as 0660");
	refuse_line("listener", "bind = unix:/x\nmode = 0888", "want octal, such as 0660");
	refuse_line("listener", "bind = unix:/x\nmode = rw", "want octal, such as 0660");
	refuse_line("listener", "bind = unix:/x\nowner = no-such-user",
	        "no such user: want a name or number");
	refuse_line("listener", "bind = unix:/x\ngroup = 4294967295",
	        "no such group: want a name or number");
	struct config *c = accept_line("listener", "bind = unix:/x\nowner = root\ngroup = root");
	ck_assert_uint_eq(c->bind[1].settings.owner, 0);
	ck_assert_uint_eq(c->bind[1].settings.group, 0);
	config_free(c);
}
END_TEST

static void refuse_server(const char *server, const char *why)
{
	char text[1000];
	struct config_errors errors;
	snprintf(text, sizeof text, LISTENER "[upstream u]\nserver = %s\n" ROUTE, server);
	ck_assert_msg(load(text, &errors) == NULL, "%s", server);
	ck_assert_msg(strstr(errors.text, why) && errors.n == 1, "%s", errors.text);
	config_errors_free(&errors);
}

static void accept_server(const char *server, const char *name, const char *host, unsigned port)
{
	char text[1000];
	snprintf(text, sizeof text, LISTENER "[upstream u]\nserver = %s\n" ROUTE, server);
	struct config *c = accept_text(text);
	const struct upstream_server *s = &route_at(c, "/")->group->members->server[0];
	ck_assert_str_eq(s->name, name);
	ck_assert_uint_eq(s->port, port);
	ck_assert((s->host == NULL) == (s->address.len > 0));
	if (host)
		ck_assert_str_eq(s->host, host);
	config_free(c);
}

START_TEST(servers)
{
	accept_server("ws://10.0.0.1", "10.0.0.1:80", NULL, 80);
	accept_server("ws://[fd00::1]", "[fd00::1]:80", NULL, 80);
	accept_server("ws://[fd00::1]:81", "[fd00::1]:81", NULL, 81);
	accept_server("ws://app-1.example:65535", "app-1.example:65535", "app-1.example", 65535);
	accept_server("ws://a_b", "a_b:80", "a_b", 80);
	accept_server("ws://unix:/run/app.sock", "unix:/run/app.sock", NULL, 0);
	accept_server("wss://a", "a:443", "a", 443);
	accept_server("wss://[fd00::1]", "[fd00::1]:443", NULL, 443);
	accept_server("wss://a:80", "a:80", "a", 80);
	refuse_server("wss:a", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("wsss://a", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("wss://", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("a:80", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("http://a", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("ws://", "want ws[s]://HOST[:PORT] | ws[s]://unix:PATH");
	refuse_server("ws://a:0", "want a port of 1..65535");
	refuse_server("ws://a:65536", "want a port of 1..65535");
	refuse_server("ws://a:", "want a port of 1..65535");
	refuse_server("ws://a/chat", "nothing behind the host and port");
	refuse_server("ws://a:80/",
	        "want nothing behind the host and port: the client's path is passed on");
	refuse_server("ws://a:80, ws://b", "want one server in a line");
	refuse_server("ws://user@a", "nothing behind the host and port");
	refuse_server("ws://[::1", "want ws[s]://HOST");
	refuse_server("ws://[::1]x", "nothing behind the host and port");
	refuse_server("ws://[::g]", "want an address or a host name");
	refuse_server("ws://300.1.1.1", "want an address or a host name");
	refuse_server("ws://10.1", "want an address or a host name");
	refuse_server("ws://0x7f.1", "want an address or a host name");
	refuse_server("ws://a..b", "want an address or a host name");
	refuse_server("ws://.a", "want an address or a host name");
	refuse_server("ws://a b", "behind the address want weight=N, backup or max_connections=N");
	refuse_server("ws://unix:", "want a path behind unix:");
	refuse(LISTENER "[upstream u]\n" ROUTE,
	        "t:3: [upstream u]: server is missing: want server = ws[s]://HOST[:PORT] | "
	        "ws[s]://unix:PATH | ws[s]+srv://_NAME._tcp.DOMAIN [weight=N] [backup] "
	        "[max_connections=N]");
	refuse("[listener l]\n[route r]\necho = on\n",
	        "t:1: [listener l]: bind is missing: want bind = ADDRESS:PORT | [IPV6]:PORT | "
	        "unix:PATH | fd:NAME");
}
END_TEST

START_TEST(paths)
{
	refuse_line("route", "path = a", "want /PATH | /PREFIX*");
	refuse_line("route", "path =", "want /PATH | /PREFIX*");
	refuse_line("route", "path = *", "want /PATH | /PREFIX*");
	refuse_line("route", "path = /a/*/b", "want '*' only at the end");
	refuse_line("route", "path = /a**", "want '*' only at the end");
	refuse_line(
	        "route", "path = /a?b", "want a path without query and blanks, other bytes as %XX");
	refuse_line(
	        "route", "path = /a#b", "want a path without query and blanks, other bytes as %XX");
	refuse_line(
	        "route", "path = /a b", "want a path without query and blanks, other bytes as %XX");
	refuse_line("route", "path = /\xc3\xa9",
	        "want a path without query and blanks, other bytes as %XX");
	refuse_line("route", "path = /a/../b", "want the normal form, /b");
	refuse_line("route", "path = //a", "want the normal form, /a");
	refuse_line("route", "path = /%7ea*", "want the normal form, /~a");
	refuse_line("route", "path = /%c3", "want the normal form, /%C3");
	refuse_line("route", "path = /..", "want /PATH | /PREFIX*");
	refuse_line("route", "path = /%2", "want /PATH | /PREFIX*");
	struct config *c = accept_line("route", "path = /%C3%A9/.well-known*");
	ck_assert_str_eq(route_at(c, "/%C3%A9/.well-known")->path, "/%C3%A9/.well-known");
	config_free(c);
	c = accept_line("route", "path = /*");
	ck_assert_str_eq(route_at(c, "/z")->path, "");
	config_free(c);
}
END_TEST

static void refuse_respond(const char *value, const char *why)
{
	char text[1000];
	struct config_errors errors;
	snprintf(text, sizeof text, LISTENER "[route r]\nrespond = %s\n", value);
	ck_assert_msg(load(text, &errors) == NULL, "%s", value);
	ck_assert_msg(strstr(errors.text, why) && errors.n == 1, "%s", errors.text);
	config_errors_free(&errors);
}

START_TEST(k10_responds)
{
	static const char *const bad[] = {
	        "", "199", "101", "100", "600", "20", "2000", "200x", "+200", "0x200", "ok", NULL};
	for (int i = 0; bad[i]; i++)
		refuse_respond(bad[i], "want STATUS | 301 URL");
	refuse_respond("301", "want a URL behind the status");
	refuse_respond("308", "want a URL behind the status");
	refuse_respond("200 /x", "want a URL only with 301, 302, 303, 307 and 308");
	refuse_respond("301 example.com", "want a URL such as");
	refuse_respond("301 /a b", "want a URL such as");
	refuse_respond("301 /\xc3\xa9", "want a URL such as");
	refuse_respond("301 /a\r\tb", "a CR within a line");
	struct config *c = accept_text(LISTENER "[route r]\nrespond = 302\n  /next\n");
	ck_assert_str_eq(route_at(c, "/")->respond_location, "/next");
	config_free(c);
}
END_TEST

START_TEST(actions)
{
	refuse(LISTENER "[route r]\npath = /\n",
	        "t:3: [route r]: nothing to do: want exactly one of "
	        "upstream = NAME, handler = PATH, respond = STATUS and echo = on");
	refuse(LISTENER "[route r]\necho = off\n",
	        "t:3: [route r]: nothing to do: want exactly one of "
	        "upstream = NAME, handler = PATH, respond = STATUS and echo = on");
	refuse_line("route", "respond = 200",
	        "[route r]: several things to do: want exactly one of "
	        "upstream = NAME, handler = PATH, respond = STATUS and echo = on");
	refuse_line("route", "echo = on",
	        "[route r]: several things to do: want exactly one of "
	        "upstream = NAME, handler = PATH, respond = STATUS and echo = on");
	config_free(accept_line("route", "echo = off"));
}
END_TEST

START_TEST(k06_references)
{
	refuse_line("route", "listener = m",
	        "t:9: [route r] listener = m: want the name of a section: "
	        "there is no [listener m]");
	refuse_line(
	        "route", "listener = l, m", "want one name; the key may be given again for more");
	refuse(LISTENER ROUTE, "t:4: [route r] upstream = u: want the name of a section: there is "
	                       "no [upstream u]");
	/* A refused section is told once, not at each place that names it. */
	refuse(LISTENER "[upstream u\nserver = ws://h\n" ROUTE,
	        "t:3: a section begins but ']' is missing: want [kind name]");
}
END_TEST

START_TEST(k06_overlaps)
{
	refuse(LISTENER "[route a]\npath = /x\necho = on\n[route b]\npath = /x\nrespond = 200\n",
	        "t:7: [route b] path = /x: [route a] at t:3 has the same host, path and listener");
	refuse(LISTENER "[route a]\necho = on\n[route b]\necho = on\n",
	        "t:5: [route b]: [route a] at t:3 has the same host, path and listener");
	refuse(LISTENER "[route a]\necho = on\n[route b]\npath = /*\necho = on\n",
	        "t:6: [route b] path = /*: [route a] at t:3 has the same host, path and listener");
	refuse(LISTENER
	        "[listener m]\nbind = unix:/m\n[route a]\nlistener = l\nlistener = m\necho = on\n"
	        "[route b]\nlistener = m\necho = on\n",
	        "t:9: [route b]: [route a] at t:5 has the same host, path and listener");
	config_free(accept_text(
	        LISTENER "[listener m]\nbind = unix:/m\n[route a]\nlistener = l\npath = /x\n"
	                 "echo = on\n[route b]\nlistener = m\npath = /x\necho = on\n[route "
	                 "c]\npath = /x\necho = on\n"
	                 "[route d]\npath = /x*\necho = on\n"));
}
END_TEST

#define CONDITION_CLASH                                                                    \
	"has the same host, path and listener, and no condition excludes that both hold: " \
	"want different values of one header or argument"

START_TEST(k06_overlaps_of_hosts_and_conditions)
{
	refuse(LISTENER "[route a]\nhost = a\nhost = b\nhost = c\necho = on\n"
	                "[route b]\nhost = B\nhost = c.\necho = on\n",
	        "t:9: [route b] host = B: [route a] at t:3 has the same host, path and listener");
	refuse(LISTENER "[route a]\npath = /x\nheader = X: 1\necho = on\n"
	                "[route b]\npath = /x\nheader = Y: 1\necho = on\n",
	        "t:8: [route b] path = /x: [route a] at t:3 " CONDITION_CLASH);
	refuse(LISTENER "[route a]\nheader = X: 1\necho = on\n"
	                "[route b]\nheader = x: 1\necho = on\n",
	        "t:6: [route b]: [route a] at t:3 " CONDITION_CLASH);
	refuse(LISTENER "[route a]\nheader = X: 1\necho = on\n"
	                "[route b]\nquery = X=2\necho = on\n",
	        "t:6: [route b]: [route a] at t:3 " CONDITION_CLASH);
	config_free(accept_text(
	        LISTENER "[route a]\nhost = a\necho = on\n[route b]\nhost = b\necho = on\n"
	                 "[route c]\nhost = *.a\necho = on\n[route d]\necho = on\n"
	                 "[route e]\nheader = X: 1\nquery = y=1\necho = on\n"
	                 "[route f]\nheader = X: 2\nquery = z=1\necho = on\n[route g]\nheader = X: "
	                 "1\necho = on\n"));
}
END_TEST

START_TEST(what_routes_are_chosen_by)
{
	struct config *c = accept_text(LISTENER
	        "[route r]\nhost = Www.Example\nhost = *.Example\nhost = [0::1]\npath = /x\n"
	        "header = X-Beta:  yes: 1 \nquery = a b=c=d\nquery = e=\necho = on\n");
	struct http_head head = {.n = 1, .query = SLICE("a+b=c%3Dd&e")};
	head.field[0] = (struct http_field){.name = SLICE("x-beta"), .value = SLICE("yes: 1")};
	static const char *const hosts[] = {"www.example", "a.example", "[::1]"};
	for (size_t i = 0; i < 3; i++) {
		struct route_query q = {
		        .host = slice_str(hosts[i]), .path = SLICE("/x"), .head = &head};
		ck_assert_msg(route_find(c->routes, &q) != NULL, "%s", hosts[i]);
	}
	config_free(c);
	config_free(accept_line("route", "host = _a-b.c"));
	config_free(accept_line("route", "host = 10.0.0.1"));
	refuse_line("route", "host = *", "want no host at all for every host");
	refuse_line("route", "host = a:80",
	        "want a host without port: it counts the same at every port");
	refuse_line("route", "host = [::1]:80",
	        "want a host without port: it counts the same at every port");
	static const char *const bad[] = {"a..b", ".a", "a b", "a/b", "*.", "*.[::1]", "a.*", "*a",
	        "[::g]", "%41", "u@a", "a,b", "\xc3\xa4"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char line[40];
		snprintf(line, sizeof line, "host = %s", bad[i]);
		bool is_list = strpbrk(bad[i], " ,") != NULL;
		refuse_line("route", line,
		        is_list ? "or *. and a domain; the key may be given again for more"
		                : "want a host name (in its xn-- form), an address, or *. and a "
		                  "domain");
	}
	refuse_line("route", "host = a\nhost = A.", "given before in this section");
	refuse_line("route", "header = X", "want NAME: VALUE");
	refuse_line("route", "header = : 1", "want NAME: VALUE");
	refuse_line("route", "header = X:", "want a value behind the colon");
	refuse_line("route", "header = a b: 1", "want the name of a header before the colon");
	refuse_line("route", "header = host: a", "want host = NAME for this");
	refuse_line("route", "header = X: 1\nheader = x: 2",
	        "the route has a condition on it already: no request could meet both");
	refuse_line("route", "query = x", "want NAME=VALUE");
	refuse_line("route", "query = =x", "want NAME=VALUE");
	refuse_line("route", "query = x=1\nquery = x=2",
	        "the route has a condition on it already: no request could meet both");
	refuse_line("route",
	        "query = a=\nquery = b=\nquery = c=\nquery = d=\nquery = e=\nquery = f=\n"
	        "query = g=\nquery = h=\nquery = i=",
	        "the route has 8 conditions already, and they are the most");
}
END_TEST

START_TEST(origins_and_subprotocols)
{
	struct config *c = accept_text(LISTENER
	        "[defaults]\norigin = https://a\norigin = same-host\norigin_missing = deny\n"
	        "subprotocol = v1\nsubprotocol = v2\n"
	        "[route a]\npath = /a\necho = on\n"
	        "[route b]\npath = /b\necho = on\norigin = any\norigin_missing = allow\n"
	        "subprotocol = any\n"
	        "[route c]\npath = /c\necho = on\norigin = null\nsubprotocol = v3\n");
	const struct route_settings *s = &route_at(c, "/a")->settings;
	ck_assert_uint_eq(origin_list_n(s->origins), 2);
	ck_assert_int_eq(s->origin_missing, ORIGIN_MISSING_DENY);
	ck_assert_uint_eq(s->subprotocols->n, 2);
	ck_assert_str_eq((const char *)s->subprotocols->at[1].at, "v2");
	s = &route_at(c, "/b")->settings;
	ck_assert_ptr_null(s->origins);
	ck_assert_int_eq(s->origin_missing, ORIGIN_MISSING_ALLOW);
	ck_assert_ptr_null(s->subprotocols);
	/* A list in a route takes the place of the list in [defaults]. */
	s = &route_at(c, "/c")->settings;
	ck_assert_uint_eq(origin_list_n(s->origins), 1);
	ck_assert_str_eq(origin_list_text(s->origins, 0), "null");
	ck_assert_uint_eq(s->subprotocols->n, 1);
	config_free(c);
	refuse_line("route", "origin = https://a/",
	        "want nothing but the host and port behind ://, no slash either");
	refuse_line("route", "origin = any\norigin = null", "want any alone, or a list without it");
	refuse_line("route", "origin = null\norigin = any", "want any alone, or a list without it");
	refuse_line("defaults", "origin = null\norigin = null", "given before in this section");
	refuse_line("route", "origin_missing = no", "want allow | deny");
	refuse_line("route", "subprotocol = a, b",
	        "want one token, such as chat.v2; the key may be given again for more");
	refuse_line("route", "subprotocol = a\nsubprotocol = a", "given before in this section");
	refuse_line("route", "subprotocol = a\nsubprotocol = any",
	        "want any alone, or a list without it");
}
END_TEST

#define LOOP(server, listener)                                                    \
	": [upstream u] server = " server ": a loop: this is [listener " listener \
	"], whose requests come back "                                            \
	"here by [route r]"

START_TEST(k06_loops)
{
	refuse(LISTENER "[upstream u]\nserver = ws://127.0.0.1:8080\n" ROUTE,
	        "t:4" LOOP("ws://127.0.0.1:8080", "l"));
	refuse(LISTENER "[upstream u]\nserver = ws://localhost:8080\n" ROUTE "path = /x\n",
	        "t:4" LOOP("ws://localhost:8080", "l"));
	refuse(LISTENER "[upstream u]\nserver = ws://0.0.0.0:8080\n" ROUTE "path = /x*\n",
	        "t:4" LOOP("ws://0.0.0.0:8080", "l"));
	refuse("[listener l]\nbind = 0.0.0.0:8080\n[upstream u]\nserver = "
	       "ws://127.0.0.2:8080\n" ROUTE,
	        "t:4" LOOP("ws://127.0.0.2:8080", "l"));
	refuse("[listener l]\nbind = [::]:8080\n[upstream u]\nserver = ws://[::1]:8080\n" ROUTE,
	        "t:4" LOOP("ws://[::1]:8080", "l"));
	refuse("[listener l]\nbind = unix:/x\n[upstream u]\nserver = ws://unix:/x\n" ROUTE,
	        "t:4" LOOP("ws://unix:/x", "l"));
	/* Round two listeners. */
	refuse(LISTENER "[listener m]\nbind = unix:/m\n[upstream u]\nserver = ws://unix:/m\n"
	                "[upstream v]\nserver = ws://127.0.0.1:8080\n"
	                "[route r]\nlistener = l\npath = /a*\nupstream = u\n"
	                "[route s]\nlistener = m\npath = /a/b\nupstream = v\n"
	                "[route t]\nlistener = m\nrespond = 200\n",
	        "t:6: [upstream u] server = ws://unix:/m: a loop: this is [listener m], whose "
	        "requests come "
	        "back here by [route r]\n"
	        "t:8: [upstream v] server = ws://127.0.0.1:8080: a loop: this is [listener l], "
	        "whose requests "
	        "come back here by [route s]");
}
END_TEST

START_TEST(k06_no_loops)
{
	/* Another host's port of the same number. */
	config_free(accept_text("[listener l]\nbind = 0.0.0.0:8080\n[upstream u]\n"
	                        "server = ws://203.0.113.9:8080\n" ROUTE));
	/* Our own listener, but its route leads elsewhere. */
	config_free(accept_text(
	        LISTENER "[listener m]\nbind = 127.0.0.1:8081\n[upstream u]\n"
	                 "server = ws://127.0.0.1:8081\n[route r]\nlistener = l\nupstream = u\n"
	                 "[route s]\nlistener = m\necho = on\n"));
	config_free(accept_text(LISTENER "[listener m]\nbind = 127.0.0.1:8081\n[upstream u]\n"
	                                 "server = ws://127.0.0.1:8081\n" ROUTE
	                                 "[route s]\nlistener = m\nrespond = 204\n"));
	/* The exact route of the second listener ends it; other paths go round. */
	refuse(LISTENER "[listener m]\nbind = 127.0.0.1:8081\n[upstream u]\n"
	                "server = ws://127.0.0.1:8081\n" ROUTE
	                "[route s]\nlistener = m\npath = /a\nrespond = 204\n",
	        "t:6" LOOP("ws://127.0.0.1:8081", "m"));
}
END_TEST

/* Two listeners that are each other's upstream; `r` and `s` choose. */
static char *round_trip(const char *r, const char *s)
{
	char *text;
	if (asprintf(&text,
	            LISTENER "[listener m]\nbind = unix:/m\n"
	                     "[upstream u]\nserver = ws://unix:/m\n"
	                     "[upstream v]\nserver = ws://127.0.0.1:8080\n"
	                     "[route r]\nlistener = l\nupstream = u\n%s"
	                     "[route s]\nlistener = m\nupstream = v\n%s"
	                     "[route t]\nrespond = 200\n",
	            r, s) < 0)
		abort();
	return text;
}

START_TEST(k06_loops_by_host_and_conditions)
{
	static const struct {
		const char *r, *s;
		bool loop;
	} list[] = {
	        {"", "", true},
	        {"path = /p\n", "host = a.example\n", true},
	        {"host = *.example\n", "host = a.example\npath = /p*\n", true},
	        {"host = a.example\n", "host = b.example\n", false},
	        {"host = *.a\n", "host = *.b\n", false},
	        {"path = /a\n", "path = /b\nhost = x\n", false},
	        {"header = X: 1\n", "header = x: 1\n", true},
	        {"header = X: 1\n", "", true},
	        {"header = X: 1\n", "header = X: 2\n", false},
	        {"query = a b=%\n", "query = a b=%\n", true},
	        {"query = a=b\n", "query = a=c\n", false},
	        /* The request that goes on has another host ... */
	        {"host = a.example\nupstream_host = b.example:81\n", "host = b.example\n", false},
	        {"host = a.example\nupstream_host = b.example\n",
	                "host = b.example\nupstream_host = A.example\n", true},
	        {"upstream_host = x\n", "upstream_host = y\n", true},
	        {"host = a\nupstream_host = server\n", "", false},
	        {"host = 127.0.0.1\nupstream_host = server\n", "upstream_host = server\n", true},
	        {"upstream_host = server\n", "host = localhost\n", true},
	        /* ... or path ... */
	        {"path = /a/*\nstrip_prefix = /a\n", "path = /a/*\n", false},
	        {"path = /a/*\nstrip_prefix = /a\n", "path = /*\nreplace_prefix = / /a/\n", true},
	        {"path = /a*\nreplace_prefix = /a /b\n", "path = /b/*\nreplace_prefix = /b /a\n",
	                true},
	        {"path = /a\nreplace_prefix = /a /b\n", "path = /b\nreplace_prefix = /b /a\n",
	                true},
	        {"path = /a/*\nstrip_prefix = /a/b\n", "path = /a/*\n", true},
	        {"replace_prefix = / /x/\n", "", true}, /* longer each time */
	        {"path = /a/*\nreplace_prefix = /a /b\n", "", false},
	        /* ... or other headers. */
	        {"header = X: 1\nrequest_remove = X\n", "", false},
	        {"header = X: 1\nrequest_set = x: 2\n", "header = X: 2\n", false},
	        {"header = X: 1\nrequest_set = x: 2\n", "header = X: 2\nrequest_set = X: 1\n",
	                true},
	        {"header = X: 1\nrequest_add = X: 2\n", "", false}, /* a condition wants it once */
	        {"header = X: r\nrequest_set = X: ${route}\n",
	                "header = X: r\nrequest_set = Y: ${time}\n", true},
	};
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct config_errors errors;
		char *text = round_trip(list[i].r, list[i].s);
		struct config *c = load(text, &errors);
		ck_assert_msg(
		        (c == NULL) == list[i].loop, "%s%s", text, errors.text ? errors.text : "");
		ck_assert(c || strstr(errors.text, ": a loop: this is [listener "));
		config_errors_free(&errors);
		config_free(c);
		free(text);
	}
}
END_TEST

START_TEST(warnings)
{
	struct config_errors errors;
	struct config *c = load(LISTENER UPSTREAM "[route r]\necho = on\n", &errors);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(errors.n, 0);
	ck_assert_str_eq(errors.text, "t:3: warning: [upstream u]: no route leads to it");
	config_errors_free(&errors);
	config_free(c);
}
END_TEST

/* What is only counted, "and N more", is of a kind too. */
START_TEST(more_than_are_kept)
{
	for (int kind = 0; kind < 2; kind++) {
		struct config_errors errors;
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);
		ck_assert_ptr_nonnull(f);
		fprintf(f, LISTENER "[route r]\necho = on\n");
		for (int i = 0; i < PROBLEMS_MAX + 2; i++)
			fprintf(f, "[upstream u%d]\n%s = ws://127.0.0.1:1\n", i,
			        kind == 0 ? "server" : "servant");
		fclose(f);
		struct config *c = load(text, &errors);
		ck_assert_uint_eq(errors.n, kind == 0 ? 0 : PROBLEMS_MAX + 2);
		ck_assert_uint_eq(errors.line_n, PROBLEMS_MAX + 1);
		ck_assert_str_eq(errors.text + errors.line[PROBLEMS_MAX].at, "and 2 more");
		ck_assert(errors.line[PROBLEMS_MAX].is_warning == (kind == 0));
		config_errors_free(&errors);
		config_free(c);
		free(text);
	}
}
END_TEST

/* What an access log would be like is nothing while there is none; but it may be off for a time. */
START_TEST(access_log_without_a_place)
{
	static const char about[] = "access_log_start = on\naccess_log_fields = id target\n";
	struct config_errors errors;
	char text[300];
	const char *place[] = {"", "access_log = off\n", "access_log = a.log\n"};
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof text, LISTENER "[moongate]\n%s%s[route r]\necho = on\n",
		        about, place[i]);
		struct config *c = load(text, &errors);
		ck_assert_ptr_nonnull(c);
		ck_assert_uint_eq(errors.n, 0);
		ck_assert_str_eq(errors.text ? errors.text : "",
		        i > 0 ? ""
		              : "t:4: warning: [moongate] access_log_start = on: does nothing: "
		                "want access_log too\n"
		                "t:5: warning: [moongate] access_log_fields = id target: does "
		                "nothing: want access_log too");
		config_errors_free(&errors);
		config_free(c);
	}
}
END_TEST

/* What other programs write with commas, or in one line. */
START_TEST(lists)
{
	static const char again[] = "; the key may be given again for more";
	static const char blanks[] = "; a list has blanks between its words, no commas";
	static const char server[] =
	        "want one server in a line; the key may be given again for more";
	static const char options[] =
	        "behind the address want weight=N, backup or max_connections=N, "
	        "with blanks between them";
	static const struct {
		const char *section, *line, *end;
	} list[] = {
	        {"defaults", "[moongate]\naccess_log_fields = time, id", blanks},
	        {"defaults", "[moongate]\naccess_log_fields = time,id", blanks},
	        {"defaults", "[moongate]\nresolver = 127.0.0.1, 127.0.0.2:53", blanks},
	        {"defaults", "[moongate]\nlua_ssl_protocols = TLSv1.2,TLSv1.3", blanks},
	        {"route", "lua_ssl_protocols = TLSv1.2, TLSv1.3", blanks},
	        {"listener", "bind = 127.0.0.1:80, 127.0.0.1:81", again},
	        {"listener", "bind = 127.0.0.1:80 127.0.0.1:81", again},
	        {"listener", "bind = [::1]:80,[::1]:81", again},
	        {"listener", "bind = fd:a, fd:b", again},
	        {"listener", "trusted_proxy = 10.0.0.0/8, ::1", again},
	        {"listener", "trusted_proxy = 10.0.0.0/8 ::1", again},
	        {"listener", "proxy_protocol = on\nproxy_protocol_from = ::1,unix:", again},
	        {"listener", "max_connections_per_address = 1\nlimit_exempt = ::1, 10.0.0.0/8",
	                again},
	        {"upstream", "source = 127.0.0.1, 127.0.0.2", again},
	        {"upstream", "server = ws://127.0.0.1:1, ws://127.0.0.1:2", server},
	        {"upstream", "server = ws://127.0.0.1:1 ws://127.0.0.1:2", server},
	        {"upstream", "server = ws://127.0.0.1:1, 127.0.0.1:2", server},
	        {"upstream", "server = ws://unix:/a, ws://unix:/b", server},
	        {"upstream", "server = ws+srv://_a._tcp.b, ws://b", server},
	        {"upstream", "server = ws://127.0.0.1:1 weight=2, backup", options},
	        {"route", "listener = l, m", again},
	        {"route", "host = a.example, b.example", again},
	        {"route", "host = a.example b.example", again},
	        {"route", "origin = https://a.example, https://b.example", again},
	        {"route", "origin = same-host null", again},
	        {"route", "subprotocol = a, b", again},
	        {"route", "request_remove = A, B", again},
	        {"defaults", "[moongate]\nlua_ssl_ciphers = A, B",
	                "want names with ':' between them, as OpenSSL writes them"},
	        {"listener", "bind = 127.0.0.1:80 # http",
	                "want a port of 1..65535; a comment behind a value begins with ' ;', "
	                "not with '#'"},
	        /* Where a comma or a blank is part of one value, nothing is said of lists. */
	        {"route", "header = X 1, 2", "want NAME: VALUE"},
	        {"route", "subprotocol = a;b", "want one token, such as chat.v2"},
	        {"defaults", "[moongate]\nlog = stderr, syslog",
	                "want stderr, syslog, journal or a path; a file of this very name is "
	                "./stderr, syslog"},
	};
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		refuse_line(list[i].section, list[i].line, list[i].end);
	static const char *const suites[] = {"tls_groups = X25519,P-256",
	        "tls_ciphersuites = TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"};
	for (size_t i = 0; i < 2; i++) {
		char text[300], want[500];
		snprintf(text, sizeof text, LISTENER "%s\n[route r]\necho = on\n", suites[i]);
		snprintf(want, sizeof want,
		        "t:3: [listener l] %s: want names with ':' between them, as OpenSSL writes "
		        "them\nt:3: [listener l] %s: does nothing: want tls_certificate = PATH too",
		        suites[i], suites[i]);
		refuse(text, want);
	}
}
END_TEST

/* Each key that goes on from access_log's name, whichever there are. */
START_TEST(all_of_the_access_log_without_a_place)
{
	unsigned n = 0;
	for (size_t i = 0; i < schema_key_n; i++) {
		struct config_errors errors;
		char text[300], want[300];
		if (strncmp(schema_key[i].name, "access_log_", strlen("access_log_")) != 0)
			continue;
		snprintf(text, sizeof text, LISTENER "[moongate]\n%s = %s\n[route r]\necho = on\n",
		        schema_key[i].name, schema_key[i].initial);
		snprintf(want, sizeof want,
		        "t:4: warning: [moongate] %s = %s: does nothing: want access_log too",
		        schema_key[i].name, schema_key[i].initial);
		config_free(load(text, &errors));
		ck_assert_str_eq(errors.text ? errors.text : "", want);
		config_errors_free(&errors);
		n++;
	}
	ck_assert_uint_ge(n, 4);
}
END_TEST

START_TEST(all_errors_in_order)
{
	refuse("[route r]\nmax_message = 1\nupstream = x\n[listener l]\nbind = 1\nbind = "
	       "127.0.0.1:0\n"
	       "[upstream u]\nserver = wss:x\nx\n",
	        "t:2: [route r] max_message = 1: want off | 125..1024g\n"
	        "t:3: [route r] upstream = x: want the name of a section: there is no [upstream "
	        "x]\n"
	        "t:5: [listener l] bind = 1: want ADDRESS:PORT | [IPV6]:PORT | unix:PATH | "
	        "fd:NAME\n"
	        "t:6: [listener l] bind = 127.0.0.1:0: want a port of 1..65535\n"
	        "t:8: [upstream u] server = wss:x: want ws[s]://HOST[:PORT] | ws[s]://unix:PATH | "
	        "ws[s]+srv://_NAME._tcp.DOMAIN [weight=N] [backup] [max_connections=N]\n"
	        "t:9: want 'key = value', [section] or a comment");
}
END_TEST

START_TEST(too_many)
{
	struct config_errors errors;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(f);
	for (int i = 1; i <= 65; i++)
		fprintf(f, "[listener l%d]\nbind = unix:/%d\n", i, i);
	fprintf(f, "[route r]\necho = on\n");
	fclose(f);
	ck_assert_ptr_null(config_load_text("t", text, len, &errors));
	ck_assert_str_eq(errors.text, "t:129: [listener l65]: 65 listeners: want at most 64, each "
	                              "with any number of binds");
	config_errors_free(&errors);
	free(text);
}
END_TEST

START_TEST(include_in_memory)
{
	refuse("[moongate]\ninclude = /etc/passwd\n" LISTENER "[route r]\necho = on\n",
	        "t:2: [moongate] include = /etc/passwd: want no include: this text is no file");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("load");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, defaults_of_everything);
	tcase_add_test(t, everything_set);
	tcase_add_test(t, logs);
	tcase_add_test(t, bad_logs);
	tcase_add_test(t, k01_empty);
	tcase_add_test(t, k02_unknown);
	tcase_add_test(t, k03_repeated);
	tcase_add_test(t, k04_memory);
	tcase_add_test(t, k04_numbers);
	tcase_add_test(t, words);
	tcase_add_test(t, k05_binds);
	tcase_add_test(t, unix_keys);
	tcase_add_test(t, servers);
	tcase_add_test(t, paths);
	tcase_add_test(t, k10_responds);
	tcase_add_test(t, actions);
	tcase_add_test(t, k06_references);
	tcase_add_test(t, k06_overlaps);
	tcase_add_test(t, k06_overlaps_of_hosts_and_conditions);
	tcase_add_test(t, what_routes_are_chosen_by);
	tcase_add_test(t, origins_and_subprotocols);
	tcase_add_test(t, k06_loops);
	tcase_add_test(t, k06_loops_by_host_and_conditions);
	tcase_add_test(t, k06_no_loops);
	tcase_add_test(t, binds_that_are_passed);
	tcase_add_test(t, users_and_groups);
	tcase_add_test(t, warnings);
	tcase_add_test(t, more_than_are_kept);
	tcase_add_test(t, lists);
	tcase_add_test(t, access_log_without_a_place);
	tcase_add_test(t, all_of_the_access_log_without_a_place);
	tcase_add_test(t, all_errors_in_order);
	tcase_add_test(t, too_many);
	tcase_add_test(t, include_in_memory);
	Suite *s = suite_create("config_load");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "base/log.h"
#include "net/dns.h"
#include "net/names.h"
#include "net/resolver.h"
#include "net/worker.h"

#include "dns_message.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The clock stands still and is moved by the tests; the name server is a socket that they
 * answer from. What c-ares itself times runs on the true clock. */

static struct worker *w;
static struct resolver *r;
static struct resolving *q;
static char hosts[64];
static char found_text[4096]; /* addresses, joined by spaces */
static char error_text[128];
static unsigned answers;
static bool cancel_other;
static struct resolving *other;
static int server, log_fd;
static char server_text[64];

/* Questions as they came, not answered yet. */
static struct asked {
	unsigned id, type;
	char name[256];
	struct sockaddr_in from;
} asked[256];
static unsigned asked_n;

static void on_found(void *owner, const struct address *found, size_t n, const char *error)
{
	ck_assert_ptr_eq(owner, &answers);
	ck_assert((n == 0) == (error != NULL));
	ck_assert_uint_le(n, RESOLVER_FOUND_MAX);
	found_text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char text[ADDRESS_TEXT_MAX];
		ck_assert_uint_eq(address_port(&found[i]), 0);
		if (i > 0)
			strcat(found_text, " ");
		address_text(&found[i], text);
		text[strlen(text) - 2] = '\0'; /* :0 */
		strcat(found_text, text);
	}
	snprintf(error_text, sizeof(error_text), "%s", error ? error : "");
	answers++;
	if (cancel_other) {
		resolver_cancel(other);
		cancel_other = false;
	}
}

static void on_targets(void *owner, const struct dns_target *const *found, size_t n,
        uint64_t learnt_ms, const char *error)
{
	ck_assert_ptr_eq(owner, &answers);
	ck_assert_uint_eq(learnt_ms, n ? w->now_ms : 0);
	ck_assert((n == 0) == (error != NULL));
	found_text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		sprintf(found_text + strlen(found_text), "%s%s:%u", i ? " " : "", found[i]->host,
		        found[i]->port);
	snprintf(error_text, sizeof(error_text), "%s", error ? error : "");
	answers++;
}

static void write_hosts(const char *text)
{
	FILE *f = fopen(hosts, "w");
	fputs(text, f);
	fclose(f);
}

static int open_server(char text[64])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(text, 64, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

static void configure(uint32_t timeout_ms)
{
	struct resolver_settings settings = {server_text, timeout_ms};
	resolver_configure(r, &settings);
}

static void setup(void)
{
	char path[64];
	snprintf(hosts, sizeof(hosts), "/tmp/net_resolver.%d.hosts", (int)getpid());
	write_hosts("# a comment\n"
	            "192.0.2.7 app App.Example.com alias\n"
	            "2001:db8::7 app\n"
	            "192.0.2.8 app\n"
	            "192.0.2.7 app\n"
	            "not-an-address broken\n"
	            "198.51.100.1 mylocalhost\n");
	setenv("CARES_HOSTS", hosts, 1);
	setenv("LOCALDOMAIN", "", 1);
	log_fd = memfd_create("log", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", log_fd);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
	answers = asked_n = 0;
	cancel_other = false;
	server = open_server(server_text);
	w = worker_new(0);
	worker_set_time(w, w->now_ms);
	r = resolver_new(w);
	ck_assert_ptr_nonnull(r);
	configure(2000);
}

static void teardown(void)
{
	fault_plan(NULL);
	worker_turn(w, 0);
	resolver_free(r);
	worker_free(w);
	close(server);
	unlink(hosts);
	log_open("stderr", LOG_LEVEL_INFO);
	close(log_fd);
}

/* ---- the name server ---- */

static void read_questions(void)
{
	uint8_t b[1024];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n;
	while ((n = recvfrom(server, b, sizeof b, 0, (struct sockaddr *)&from, &len)) > 0) {
		struct asked *a = &asked[asked_n++];
		ck_assert_int_gt(n, 16);
		ck_assert_uint_lt(asked_n, 256);
		a->id = (unsigned)(b[0] << 8 | b[1]);
		a->from = from;
		a->name[0] = '\0';
		const uint8_t *at = b + 12;
		for (; *at; at += *at + 1)
			sprintf(a->name + strlen(a->name), "%s%.*s", a->name[0] ? "." : "", *at,
			        at + 1);
		a->type = (unsigned)(at[1] << 8 | at[2]);
	}
}

static void turn(void)
{
	worker_turn(w, 1);
	read_questions();
}

static void pass(uint64_t ms)
{
	worker_set_time(w, w->now_ms + ms);
	turn();
}

/* Until so many questions are there. */
static void wait_asked(unsigned n)
{
	for (int i = 0; i < 10000 && asked_n < n; i++)
		turn();
	ck_assert_uint_eq(asked_n, n);
}

static void wait_answers(unsigned n)
{
	for (int i = 0; i < 10000 && answers < n; i++)
		turn();
	ck_assert_uint_eq(answers, n);
}

static void send_to(const struct asked *a, const struct message *m, int fd)
{
	ck_assert_int_eq(
	        sendto(fd, m->at, m->len, 0, (const struct sockaddr *)&a->from, sizeof a->from),
	        (ssize_t)m->len);
}

/* The oldest question for that type is answered; code = 0: m, else an error. */
static struct asked take(unsigned type)
{
	for (unsigned i = 0; i < asked_n; i++) {
		struct asked a = asked[i];
		if (a.type != type)
			continue;
		memmove(&asked[i], &asked[i + 1], (--asked_n - i) * sizeof a);
		return a;
	}
	ck_abort_msg("no question for %u", type);
}

static void refuse(unsigned type, unsigned code)
{
	static struct message m;
	struct asked a = take(type);
	message_begin(&m, a.id, a.name, type);
	m.at[3] = (uint8_t)(0x80 | code);
	send_to(&a, &m, server);
}

enum { SERVFAIL = 2, NXDOMAIN = 3 };

static void reply_a(uint32_t ttl, uint32_t first, unsigned n)
{
	static struct message m;
	struct asked a = take(T_A);
	message_begin(&m, a.id, a.name, T_A);
	for (unsigned i = 0; i < n; i++)
		put_a(&m, a.name, ttl, first + i);
	send_to(&a, &m, server);
}

static void reply_aaaa(uint32_t ttl, unsigned n)
{
	static struct message m;
	struct asked a = take(T_AAAA);
	message_begin(&m, a.id, a.name, T_AAAA);
	for (unsigned i = 0; i < n; i++)
		put_aaaa(&m, a.name, ttl, i + 1);
	send_to(&a, &m, server);
}

/* ---- asking ---- */

static void begin(const char *name)
{
	unsigned before = answers;
	q = resolver_start(r, name, on_found, &answers);
	ck_assert_ptr_nonnull(q);
	ck_assert_uint_eq(answers, before); /* never at once */
}

/* Answered without a question to the server. */
static void look_up(const char *name)
{
	unsigned before = answers;
	begin(name);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, before + 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, before + 1);
	read_questions();
}

/* The server fails as often as c-ares asks it. */
static void refuse_until(unsigned n)
{
	for (int i = 0; i < 10000 && answers < n; i++) {
		turn();
		while (asked_n > 0)
			refuse(asked[0].type, SERVFAIL);
	}
	ck_assert_uint_eq(answers, n);
}

/* Asked for, with so many IPv4 addresses as an answer and no others. */
static void find(const char *name, uint32_t ttl, uint32_t first, unsigned n)
{
	unsigned before = answers;
	begin(name);
	wait_asked(2);
	reply_aaaa(0, 0);
	reply_a(ttl, first, n);
	wait_answers(before + 1);
	ck_assert_uint_eq(asked_n, 0);
}

static void find_fails(const char *name)
{
	unsigned before = answers;
	begin(name);
	refuse_until(before + 1);
}

static unsigned logged(const char *what)
{
	static char text[1 << 16];
	unsigned n = 0;
	ssize_t len = pread(log_fd, text, sizeof text - 1, 0);
	text[len > 0 ? len : 0] = 0;
	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

#define counted(name) counter_get(&w->counters.name)

/* ---- the hosts file ---- */

START_TEST(names_of_the_file)
{
	look_up("app");
	/* In the order of the file, but families in turn; each once. */
	ck_assert_str_eq(found_text, "192.0.2.7 [2001:db8::7] 192.0.2.8");
	look_up("app");
	ck_assert_str_eq(found_text, "192.0.2.7 [2001:db8::7] 192.0.2.8");
	look_up("aPP.eXAMPLE.com");
	ck_assert_str_eq(found_text, "192.0.2.7");
	look_up("mylocalhost");
	ck_assert_str_eq(found_text, "198.51.100.1");
	/* The file is read again after a second. */
	write_hosts("192.0.2.99 app\n");
	look_up("app");
	ck_assert_str_eq(found_text, "192.0.2.7 [2001:db8::7] 192.0.2.8");
	pass(1000);
	look_up("app");
	ck_assert_str_eq(found_text, "192.0.2.99");
	ck_assert_uint_eq(asked_n, 0);
	ck_assert_uint_eq(counted(dns_queries), 0);
	ck_assert_uint_eq(logged("name_changed"), 1);
}
END_TEST

static const char *const impossible[] = {
        "a b..c",
        "..",
        "localhost..",
        "a..b",
        "no.such.Invalid",
        "invalid.",
        "0123456789012345678901234567890123456789012345678901234567890123456789.example",
};

START_TEST(names_that_nobody_can_have)
{
	look_up(impossible[_i]);
	ck_assert_str_eq(found_text, "");
	ck_assert_str_eq(error_text, "no such host");
	ck_assert_uint_eq(asked_n, 0);
}
END_TEST

static const char *const unknown[] = {"nobody", "broken", "notlocalhost", "localhost.example",
        "xlocalhost", "nobody.example.com"};

START_TEST(names_that_nobody_has)
{
	begin(unknown[_i]);
	wait_asked(2);
	refuse(T_A, NXDOMAIN);
	refuse(T_AAAA, NXDOMAIN);
	wait_answers(1);
	ck_assert_str_eq(error_text, "no such host");
	/* For a second nobody is asked again. */
	pass(999);
	look_up(unknown[_i]);
	ck_assert_str_eq(error_text, "no such host");
	ck_assert_uint_eq(asked_n, 0);
	pass(1);
	find(unknown[_i], 60, 0x0a000001, 1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	ck_assert_uint_eq(logged("name_failed"), 1);
	ck_assert_uint_eq(logged("name_found"), 1);
	ck_assert_uint_eq(counted(dns_failures), 1);
}
END_TEST

static const char *const locals[] = {"localhost", "LocalHost", "app.localhost", "localhost."};

START_TEST(localhost_needs_no_file)
{
	look_up(locals[_i]);
	ck_assert_str_eq(found_text, "127.0.0.1 [::1]");
	unlink(hosts);
	pass(2000);
	look_up(locals[_i]);
	ck_assert_str_eq(found_text, "127.0.0.1 [::1]");
	ck_assert_uint_eq(asked_n, 0);
}
END_TEST

START_TEST(a_name_under_localhost_in_the_file)
{
	write_hosts("127.0.0.5 app.localhost\n");
	look_up("app.localhost");
	ck_assert_str_eq(found_text, "127.0.0.5");
}
END_TEST

START_TEST(the_systems_own_file)
{
	unsetenv("CARES_HOSTS");
	look_up("localhost");
	ck_assert_ptr_nonnull(strstr(found_text, "127.0.0.1"));
}
END_TEST

START_TEST(a_name_with_very_many_addresses)
{
	FILE *f = fopen(hosts, "w");
	for (int i = 0; i < 200; i++)
		fprintf(f, "192.0.2.%d many\n", i);
	fclose(f);
	look_up("many");
	ck_assert_str_eq(error_text, "");
	ck_assert_uint_gt(strlen(found_text), 100);
}
END_TEST

/* ---- name servers ---- */

START_TEST(both_families)
{
	begin("two.example");
	wait_asked(2);
	reply_a(60, 0x0a000001, 2);
	reply_aaaa(60, 2);
	wait_answers(1);
	ck_assert_str_eq(found_text, "[2001:db8::1] 10.0.0.1 [2001:db8::2] 10.0.0.2");
	/* The next asker begins with the next ones. */
	look_up("two.example");
	ck_assert_str_eq(found_text, "[2001:db8::2] 10.0.0.2 [2001:db8::1] 10.0.0.1");
	ck_assert_uint_eq(counted(dns_queries), 2);
}
END_TEST

START_TEST(asked_once_for_all)
{
	for (int i = 0; i < 50; i++)
		begin("app.test");
	wait_asked(2);
	for (int i = 0; i < 50; i++)
		begin("APP.test");
	turn();
	ck_assert_uint_eq(asked_n, 2);
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000001, 1);
	wait_answers(100);
	ck_assert_uint_eq(counted(dns_queries), 2);
}
END_TEST

/* Used in the last quarter of its time, it is asked for again, and nobody waits. */
START_TEST(refreshed_meanwhile)
{
	find("app.test", 100, 0x0a000001, 1);
	pass(74999);
	look_up("app.test");
	ck_assert_uint_eq(asked_n, 0);
	pass(1);
	look_up("app.test");
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.1");
	wait_asked(2);
	reply_aaaa(0, 0);
	reply_a(100, 0x0a000005, 1);
	for (int i = 0; i < 1000 && logged("name_changed") == 0; i++)
		turn();
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.5");
	pass(74999);
	look_up("app.test");
	ck_assert_uint_eq(asked_n, 0);
	ck_assert_uint_eq(counted(dns_stale), 0);
	ck_assert_uint_eq(logged("name_changed"), 1);
}
END_TEST

static const struct {
	uint32_t ttl;
	uint64_t ms;
} ttls[] = {{0, 1000}, {1, 1000}, {2, 2000}, {3600, 3600000}, {3601, 3600000},
        {0x7fffffff, 3600000}, {0x80000000, 1000}, {0xffffffff, 1000}};

/* U-16 */
START_TEST(times_to_live)
{
	find("app.test", ttls[_i].ttl, 0x0a000001, 1);
	pass(ttls[_i].ms - 1);
	look_up("app.test"); /* is refreshed, but did not wait */
	wait_asked(2);
	reply_aaaa(0, 0);
	reply_a(ttls[_i].ttl, 0x0a000001, 1);
	for (int i = 0; i < 20; i++)
		turn();
	pass(ttls[_i].ms);
	begin("app.test");
	wait_asked(2);
	ck_assert_uint_eq(answers, 2);
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000002, 1);
	wait_answers(3);
	ck_assert_str_eq(found_text, "10.0.0.2");
}
END_TEST

/* U-16, U-18: what was good is used on, without waiting, and asking is tried again. */
START_TEST(the_last_good_is_kept)
{
	find("app.test", 1, 0x0a000001, 1);
	pass(1000);
	find_fails("app.test");
	ck_assert_str_eq(found_text, "10.0.0.1");
	pass(999);
	look_up("app.test");
	ck_assert_uint_eq(asked_n, 0);
	pass(1); /* tried again, behind the session's back */
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.1");
	wait_asked(2);
	refuse(T_A, NXDOMAIN);
	refuse(T_AAAA, NXDOMAIN);
	for (int i = 0; i < 1000 && counted(dns_failures) < 2; i++)
		turn();
	pass(1999);
	look_up("app.test");
	ck_assert_uint_eq(asked_n, 0);
	ck_assert_uint_eq(counted(dns_stale), 4);
	ck_assert_uint_eq(counted(dns_failures), 2);
	ck_assert_uint_eq(logged("name_failed"), 1);
	ck_assert_uint_eq(logged("kept=1"), 1);
	/* It is back. */
	pass(1);
	look_up("app.test");
	wait_asked(2);
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000001, 1);
	for (int i = 0; i < 1000 && logged("name_found") == 0; i++)
		turn();
	look_up("app.test");
	ck_assert_uint_eq(counted(dns_stale), 5);
	ck_assert_uint_eq(logged("name_failed"), 1);
	ck_assert_uint_eq(logged("name_found"), 1);
	ck_assert_uint_eq(logged("name_changed"), 0);
}
END_TEST

/* U-16: a name that the servers say there is none of is given up after a while. */
START_TEST(a_name_that_is_gone)
{
	find("app.test", 1, 0x0a000001, 1);
	for (unsigned ms = 0, n = 1; ms < NAME_KEEP_DENIED_MS; ms += 30000, n++) {
		pass(ms == 0 ? 1000 : 30000);
		begin("app.test");
		wait_asked(2);
		refuse(T_A, NXDOMAIN);
		refuse(T_AAAA, NXDOMAIN);
		for (int i = 0; i < 1000 && counted(dns_failures) < n; i++)
			turn();
		wait_answers(n + 1);
	}
	ck_assert_uint_eq(logged("name_given_up"), 0);
	ck_assert_str_eq(found_text, "10.0.0.1");
	pass(30000);
	look_up("app.test");
	ck_assert_str_eq(found_text, "");
	ck_assert_str_eq(error_text, "no such host");
	ck_assert_uint_eq(logged("name_given_up"), 1);
	ck_assert_uint_eq(logged("name_failed"), 1);
}
END_TEST

static void ignore(void *owner, const struct address *found, size_t n, const char *error)
{
	(void)owner, (void)found, (void)n, (void)error;
}

/* Workers find out side by side. */
START_TEST(told_once_for_all_workers)
{
	struct worker *w2 = worker_new(1);
	struct resolver *r2 = resolver_new(w2);
	worker_set_time(w2, w->now_ms + 900);
	look_up("one.invalid");
	ck_assert_uint_eq(logged("name_failed"), 1);
	ck_assert_ptr_nonnull(resolver_start(r2, "one.invalid", ignore, NULL));
	worker_turn(w2, 0);
	ck_assert_uint_eq(logged("name_failed"), 1);
	ck_assert_ptr_nonnull(resolver_start(r2, "two.invalid", ignore, NULL));
	worker_turn(w2, 0);
	ck_assert_uint_eq(logged("name_failed"), 2);
	look_up("two.invalid");
	ck_assert_uint_eq(logged("name_failed"), 2);
	/* A second later it may be worth another line. */
	ck_assert_ptr_nonnull(resolver_start(r2, "three.invalid", ignore, NULL));
	worker_turn(w2, 0);
	pass(2000);
	look_up("three.invalid");
	ck_assert_uint_eq(logged("name_failed"), 4);
	resolver_free(r2);
	worker_free(w2);
}
END_TEST

/* U-16: an empty answer is none. */
START_TEST(empty_answers)
{
	find("app.test", 1, 0x0a000001, 1);
	pass(1000);
	begin("app.test");
	wait_asked(2);
	reply_aaaa(60, 0);
	reply_a(60, 0, 0);
	wait_answers(2);
	ck_assert_str_eq(found_text, "10.0.0.1");
	begin("new.test");
	wait_asked(2);
	reply_aaaa(60, 0);
	reply_a(60, 0, 0);
	wait_answers(3);
	ck_assert_str_eq(error_text, "no address");
}
END_TEST

/* U-16, U-18: nobody answers. */
START_TEST(silence)
{
	begin("app.test");
	wait_asked(2);
	pass(1999);
	ck_assert_uint_eq(answers, 0);
	pass(1);
	ck_assert_uint_eq(answers, 1);
	ck_assert_str_eq(error_text, "no name server answered in time");
	/* Late, but welcome. */
	reply_aaaa(60, 0);
	reply_a(60, 0x0a000001, 1);
	for (int i = 0; i < 1000 && logged("name_found") == 0; i++)
		turn();
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.1");
	ck_assert_uint_eq(counted(dns_queries), 2);
}
END_TEST

START_TEST(silence_with_an_old_answer)
{
	find("app.test", 1, 0x0a000001, 1);
	pass(1000);
	begin("app.test");
	wait_asked(2);
	pass(499);
	ck_assert_uint_eq(answers, 1);
	pass(1);
	ck_assert_uint_eq(answers, 2);
	ck_assert_str_eq(found_text, "10.0.0.1");
	look_up("app.test"); /* the others do not wait at all */
	ck_assert_str_eq(found_text, "10.0.0.1");
	ck_assert_uint_eq(counted(dns_stale), 2);
	ck_assert_uint_eq(logged("name_failed"), 1);
}
END_TEST

/* c-ares gives up by itself: the clock runs here. */
START_TEST(silence_to_the_end)
{
	configure(40);
	begin("app.test");
	for (int i = 0; i < 20000 && logged("name_failed") == 0; i++)
		pass(1);
	wait_answers(1);
	ck_assert_str_eq(error_text, "no name server answered in time");
	ck_assert_uint_gt(asked_n, 2); /* asked again */
}
END_TEST

START_TEST(nobody_listens)
{
	close(server);
	server = -1;
	configure(40);
	begin("app.test");
	for (int i = 0; i < 20000 && answers == 0; i++)
		pass(1);
	ck_assert_str_eq(found_text, "");
	ck_assert_ptr_nonnull(strstr(error_text, "no name server"));
	server = open_server(server_text);
}
END_TEST

/* RFC 8305 3: one family is not waited for when the other is there. */
START_TEST(one_family_is_silent)
{
	begin("app.test");
	wait_asked(2);
	reply_a(60, 0x0a000001, 1);
	for (int i = 0; i < 20; i++)
		turn();
	ck_assert_uint_eq(answers, 0);
	pass(49);
	ck_assert_uint_eq(answers, 0);
	pass(1);
	turn();
	ck_assert_uint_eq(answers, 1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	look_up("app.test");
	reply_aaaa(60, 1);
	for (int i = 0; i < 1000 && logged("name_changed") == 0; i++)
		turn();
	look_up("app.test");
	ck_assert_str_eq(found_text, "[2001:db8::1] 10.0.0.1");
	ck_assert_uint_eq(counted(dns_queries), 2);
}
END_TEST

START_TEST(one_family_fails)
{
	begin("app.test");
	wait_asked(2);
	reply_a(60, 0x0a000001, 1);
	refuse_until(1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	/* Soon asked for again. */
	pass(5000);
	find("app.test", 60, 0x0a000002, 1);
}
END_TEST

/* A lookup that goes on for its second family is overtaken by the next one. */
START_TEST(overtaken)
{
	begin("app.test");
	wait_asked(2);
	reply_a(1, 0x0a000001, 1);
	for (int i = 0; i < 20; i++)
		turn();
	pass(50);
	turn();
	ck_assert_uint_eq(answers, 1);
	struct asked late = take(T_AAAA);
	pass(1000);
	begin("app.test");
	wait_asked(2);
	reply_a(60, 0x0a000002, 1);
	refuse(T_AAAA, NXDOMAIN);
	wait_answers(2);
	ck_assert_str_eq(found_text, "10.0.0.2");
	asked[asked_n++] = late;
	reply_aaaa(60, 1);
	for (int i = 0; i < 20; i++)
		turn();
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.2");
}
END_TEST

/* U-19 */
START_TEST(answers_that_are_not_meant)
{
	static struct message m;
	char elsewhere_text[64];
	int elsewhere = open_server(elsewhere_text);
	begin("app.test");
	wait_asked(2);
	struct asked a = take(T_A);
	message_begin(&m, a.id ^ 1, a.name, T_A);
	put_a(&m, a.name, 60, 0x0a000066);
	send_to(&a, &m, server);
	message_begin(&m, a.id, "bank.test", T_A);
	put_a(&m, "bank.test", 60, 0x0a000066);
	send_to(&a, &m, server);
	message_begin(&m, a.id, a.name, T_A);
	put_a(&m, a.name, 60, 0x0a000066);
	send_to(&a, &m, elsewhere);
	for (size_t len = 0; len < 12; len++)
		sendto(server, m.at, len, 0, (struct sockaddr *)&a.from, sizeof a.from);
	for (int i = 0; i < 30; i++)
		turn();
	ck_assert_uint_eq(answers, 0);
	refuse(T_AAAA, NXDOMAIN);
	asked[asked_n++] = a;
	reply_a(60, 0x0a000001, 1);
	wait_answers(1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	close(elsewhere);
}
END_TEST

/* U-16 */
START_TEST(a_loop_of_aliases)
{
	static struct message m;
	begin("app.test");
	wait_asked(2);
	refuse(T_AAAA, NXDOMAIN);
	struct asked a = take(T_A);
	message_begin(&m, a.id, a.name, T_A);
	put_cname(&m, "app.test", 60, "b.test");
	put_cname(&m, "b.test", 60, "app.test");
	send_to(&a, &m, server);
	wait_answers(1);
	ck_assert_str_eq(error_text, "a loop of aliases");
}
END_TEST

START_TEST(search_domains)
{
	setenv("LOCALDOMAIN", "one.test two.test", 1);
	configure(2000);
	begin("web");
	wait_asked(2);
	ck_assert_str_eq(asked[0].name, "web.one.test");
	refuse(T_A, NXDOMAIN);
	reply_aaaa(0, 0); /* that name exists, without an address */
	wait_asked(2);
	ck_assert_str_eq(asked[0].name, "web.two.test");
	reply_a(60, 0x0a000001, 1);
	reply_aaaa(0, 0);
	wait_answers(1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	/* One with a dot as it is first; with a dot at its end only so. */
	begin("web.x");
	wait_asked(2);
	ck_assert_str_eq(asked[0].name, "web.x");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"web.x", "web.x.one.test", "web.x.two.test"};
		wait_asked(2);
		ck_assert_str_eq(asked[0].name, names[i]);
		refuse(T_A, NXDOMAIN);
		refuse(T_AAAA, NXDOMAIN);
	}
	wait_answers(2);
	ck_assert_str_eq(error_text, "no such host");
	begin("web.");
	wait_asked(2);
	ck_assert_str_eq(asked[0].name, "web");
	refuse(T_A, NXDOMAIN);
	refuse(T_AAAA, NXDOMAIN);
	wait_answers(3);
	/* A server that fails is no reason to take another host. */
	begin("other");
	wait_asked(2);
	refuse(T_AAAA, NXDOMAIN);
	refuse_until(4);
	ck_assert_str_eq(error_text, "no name server gave an answer");
	ck_assert_uint_eq(asked_n, 0);
}
END_TEST

START_TEST(services)
{
	static struct message m;
	q = resolver_start_service(r, "_chat._tcp.test", on_targets, &answers);
	wait_asked(1);
	struct asked a = take(T_SRV);
	ck_assert_str_eq(a.name, "_chat._tcp.test");
	message_begin(&m, a.id, a.name, T_SRV);
	put_srv(&m, a.name, 60, 2, 1, 9002, "b.test");
	put_srv(&m, a.name, 60, 1, 1, 9001, "a.test");
	send_to(&a, &m, server);
	wait_answers(1);
	ck_assert_str_eq(found_text, "a.test:9001 b.test:9002");
	/* A host of that name is another thing. */
	find("_chat._tcp.test", 60, 0x0a000001, 1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	q = resolver_start_service(r, "_none._tcp.test", on_targets, &answers);
	wait_asked(1);
	refuse(T_SRV, NXDOMAIN);
	wait_answers(3);
	ck_assert_str_eq(error_text, "no such host");
}
END_TEST

START_TEST(cancelled)
{
	begin("app");
	resolver_cancel(q);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, 0);
	/* By the answer of another. */
	cancel_other = true;
	begin("app");
	other = resolver_start(r, "alias", on_found, &answers);
	worker_turn(w, 0);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, 1);
	/* While it is asked for; the answer is kept for the next one. */
	begin("app.test");
	wait_asked(2);
	resolver_cancel(q);
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000001, 1);
	for (int i = 0; i < 20; i++)
		turn();
	ck_assert_uint_eq(answers, 1);
	look_up("app.test");
	ck_assert_str_eq(found_text, "10.0.0.1");
	/* And one that is never answered, up to the end of the resolver. */
	begin("b.test");
	wait_asked(2);
	resolver_cancel(q);
}
END_TEST

/* Who waits is served by the new servers; what stays the same disturbs no question. */
START_TEST(configured_anew_while_asking)
{
	begin("app.test");
	wait_asked(2);
	configure(1000);
	wait_asked(4);
	ck_assert_uint_eq(counted(dns_queries), 4);
	configure(1000);
	turn();
	ck_assert_uint_eq(counted(dns_queries), 4);
	/* The first two are nobody's any more. */
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000009, 1);
	turn();
	ck_assert_uint_eq(answers, 0);
	reply_aaaa(0, 0);
	reply_a(60, 0x0a000001, 1);
	wait_answers(1);
	ck_assert_str_eq(found_text, "10.0.0.1");
	/* ... or, in time, by nobody. */
	begin("other.test");
	wait_asked(2);
	configure(1500);
	wait_asked(4);
	pass(2000);
	ck_assert_uint_eq(answers, 2);
	ck_assert_str_eq(found_text, "");
}
END_TEST

/* What the servers before had failed at is not held against the new ones. */
START_TEST(configured_anew_after_a_failure)
{
	find_fails("app.test");
	look_up("app.test");
	configure(1500);
	find("app.test", 60, 0x0a000001, 1);
}
END_TEST

/* There is no memory to ask the new ones: told at once, not after a wait for nothing. */
START_TEST(configured_anew_without_memory)
{
	begin("app.test");
	wait_asked(2);
	ck_assert(fault_plan("alloc:1:ENOMEM:100"));
	configure(1000);
	fault_plan(NULL);
	wait_answers(1);
	ck_assert_str_eq(found_text, "");
	asked_n = 0;
	configure(1001);
	find("app.test", 60, 0x0a000001, 1);
}
END_TEST

START_TEST(no_memory)
{
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(resolver_start(r, "app", on_found, &answers));
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(resolver_new(w));
	resolver_free(NULL);
}
END_TEST

static void reply_to_all(void)
{
	while (asked_n > 0) {
		if (asked[0].type == T_A)
			reply_a(60, 0x0a000001, 1);
		else
			reply_aaaa(0, 0);
	}
}

/* any one allocation fails, R-04: or a socket cannot be watched; a later lookup is good
 * again. */
START_TEST(no_memory_for_one_thing)
{
	char plan[48];
	unsigned begun = 0;
	configure(40);
	if (_i < 10)
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM", _i + 1);
	else
		snprintf(plan, sizeof plan, "event_add:%d:ENOSPC", _i - 9);
	ck_assert(fault_plan(plan));
	found_text[0] = '\0';
	for (int i = 0; i < 1000000 && found_text[0] == '\0'; i++) {
		if (answers == begun && resolver_start(r, "app.test", on_found, &answers))
			begun++;
		pass(10);
		reply_to_all();
	}
	ck_assert_str_eq(found_text, "10.0.0.1");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/resolver");
	TCase *t = tcase_create("resolver");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names_of_the_file);
	tcase_add_loop_test(
	        t, names_that_nobody_can_have, 0, sizeof impossible / sizeof *impossible);
	tcase_add_loop_test(t, names_that_nobody_has, 0, sizeof unknown / sizeof *unknown);
	tcase_add_loop_test(t, localhost_needs_no_file, 0, 4);
	tcase_add_test(t, a_name_under_localhost_in_the_file);
	tcase_add_test(t, the_systems_own_file);
	tcase_add_test(t, a_name_with_very_many_addresses);
	tcase_add_test(t, both_families);
	tcase_add_test(t, asked_once_for_all);
	tcase_add_test(t, refreshed_meanwhile);
	tcase_add_loop_test(t, times_to_live, 0, sizeof ttls / sizeof *ttls);
	tcase_add_test(t, the_last_good_is_kept);
	tcase_add_test(t, a_name_that_is_gone);
	tcase_add_test(t, told_once_for_all_workers);
	tcase_add_test(t, empty_answers);
	tcase_add_test(t, silence);
	tcase_add_test(t, silence_with_an_old_answer);
	tcase_add_test(t, silence_to_the_end);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, one_family_is_silent);
	tcase_add_test(t, one_family_fails);
	tcase_add_test(t, overtaken);
	tcase_add_test(t, answers_that_are_not_meant);
	tcase_add_test(t, a_loop_of_aliases);
	tcase_add_test(t, search_domains);
	tcase_add_test(t, services);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, configured_anew_while_asking);
	tcase_add_test(t, configured_anew_after_a_failure);
	tcase_add_test(t, configured_anew_without_memory);
	tcase_add_test(t, no_memory);
	tcase_add_loop_test(t, no_memory_for_one_thing, 0, 16);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

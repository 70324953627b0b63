/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/privileges.h"

#include "base/log.h"
#include "config/config.h"
#include "daemon/say.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool privileges_are_too_many(const struct config_identity *who)
{
	return who->user && geteuid() == 0 && who->uid != 0;
}

static bool failed(const char *what)
{
	char words[LOG_ERRNO_MAX];

	say("cannot give up root's rights: %s: %s", what, log_errno_words(errno, words));
	return false;
}

/* The bits of one of the two words that the kernel's third version has. */
static unsigned bit(int capability)
{
	return 1U << (capability & 31);
}

static bool get_capabilities(struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

	return syscall(SYS_capget, &header, caps) == 0;
}

static bool set_capabilities(const struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

	return syscall(SYS_capset, &header, caps) == 0;
}

/* Nothing else can come back by exec(), which the daemon never calls. What the kernel
 * does not know, or no longer lets us drop, is not there to be dropped. */
static void drop_bounding_set(void)
{
	for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (c != CAP_NET_BIND_SERVICE)
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static bool keep_only_bind(const struct __user_cap_data_struct had[2])
{
	struct __user_cap_data_struct caps[2] = {{0, 0, 0}, {0, 0, 0}};

	caps[0].permitted = had[0].permitted & bit(CAP_NET_BIND_SERVICE);
	caps[0].effective = caps[0].permitted;
	return set_capabilities(caps);
}

static bool become(const struct config_identity *who)
{
	if (setgroups(0, NULL) < 0)
		return failed("setgroups");
	if (setresgid(who->gid, who->gid, who->gid) < 0)
		return failed("setresgid");
	return setresuid(who->uid, who->uid, who->uid) == 0 || failed("setresuid");
}

/* Trust is good. */
static bool is_gone(const struct config_identity *who)
{
	uid_t uid[3];
	gid_t gid[3];
	bool is_back = setresuid(0, 0, 0) == 0 || (who->gid != 0 && setresgid(0, 0, 0) == 0);

	errno = EPERM;
	if (is_back || getuid() != who->uid || getgroups(0, NULL) != 0 ||
	        getresuid(&uid[0], &uid[1], &uid[2]) < 0 ||
	        getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return failed("they are still there");
	for (int i = 0; i < 3; i++)
		if (uid[i] != who->uid || gid[i] != who->gid)
			return failed("they are still there");
	return true;
}

bool privileges_drop(const struct config_identity *who)
{
	struct __user_cap_data_struct had[2];

	if (!get_capabilities(had))
		return failed("capget");
	drop_bounding_set();
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return failed("PR_SET_KEEPCAPS");
	if (!become(who))
		return false;
	if (!keep_only_bind(had))
		return failed("capset");
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed("PR_SET_NO_NEW_PRIVS");
	return is_gone(who);
}

#if defined(__SANITIZE_ADDRESS__)
#define IS_TRACED_AT_EXIT true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_TRACED_AT_EXIT true
#endif
#endif
#ifndef IS_TRACED_AT_EXIT
#define IS_TRACED_AT_EXIT false
#endif

/* The limit alone would not do where a program takes the cores (core(5)). The sanitizer
 * that looks for leaks attaches to the process as a debugger does. */
void privileges_allow_core_dumps(bool allowed)
{
	struct rlimit limit;

	prctl(PR_SET_DUMPABLE, allowed || IS_TRACED_AT_EXIT, 0, 0, 0);
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return;
	if (allowed)
		limit.rlim_cur = limit.rlim_max;
	else
		limit = (struct rlimit){0, 0};
	setrlimit(RLIMIT_CORE, &limit);
}

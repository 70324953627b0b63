/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_identity.h"

#include "config/draft.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void warn_ignored(struct draft *d, const char *key)
{
	const struct reader_section *s;
	const struct reader_entry *e = draft_process_entry(d, key, &s);
	char value[PROBLEM_QUOTE_MAX];
	if (e)
		problem_warning(&d->problems, reader_place(s->file, e->line),
		        "[moongate] %s = %s: ignored, for only root can become another one", key,
		        problem_quote(e->value, value));
}

/* What root does to itself; anybody else stays who they are. */
static void check_possible(struct draft *d)
{
	const struct config_identity *who = &d->config->identity;
	if (geteuid() == 0 || d->is_memory || d->running)
		return;
	if (who->uid != geteuid())
		warn_ignored(d, "user");
	else if (who->gid != getegid())
		warn_ignored(d, "group");
}

void build_identity(struct draft *d)
{
	const struct config_identity *who = &d->config->identity;
	const struct reader_section *s = NULL;
	const struct reader_entry *user = draft_process_entry(d, "user", &s);
	if (user && who->user && who->gid == (gid_t)-1) {
		draft_error(d, s, user, "is not listed among the users, so want group = GROUP too");
		return;
	}
	if (user && who->user) {
		check_possible(d);
		return;
	}
	const struct reader_entry *group = draft_process_entry(d, "group", &s);
	if (group && !user)
		draft_error(d, s, group, "does nothing: want user = USER too");
}

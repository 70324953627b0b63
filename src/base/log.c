/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/log_channel.h"
#include "base/log_drain.h"
#include "base/log_writer.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static atomic_int level_on = LOG_LEVEL_INFO;

bool log_is_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_on, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store(&level_on, (int)level);
}

bool log_level_parse(const char *name, enum log_level *level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_open(const char *name, enum log_level level)
{
	struct log_target opened;

	if (!log_target_open(&opened, name))
		return false;
	log_channel_set_target(&log_channels[LOG_MAIN], opened);
	log_set_level(level);
	return true;
}

bool log_start(void)
{
	if (!log_writer_start(&log_channels[LOG_MAIN]))
		return false;
	log_thread_init();
	if (!atomic_load(&log_channels[LOG_ACCESS].is_on) ||
	        log_writer_start(&log_channels[LOG_ACCESS]))
		return true;
	int saved = errno;
	log_stop();
	errno = saved;
	return false;
}

void log_stop(void)
{
	int saved = errno;

	if (atomic_load(&log_channels[LOG_MAIN].is_running)) {
		log_writer_stop(&log_channels[LOG_ACCESS]);
		log_thread_fini();
		log_writer_stop(&log_channels[LOG_MAIN]);
	}
	errno = saved;
}

void log_reopen(void)
{
	for (int i = 0; i < LOG_CHANNELS; i++)
		log_writer_reopen(&log_channels[i]);
}

static bool prepare(struct log_channel *c, const char *name)
{
	assert(!c->is_prepared);
	c->is_prepared = log_target_open(&c->prepared, name);
	return c->is_prepared;
}

/* A writer without a target has nothing to do, so it may run before there is one. */
static bool make_access(struct log_channel *c)
{
	if (!c->batch)
		c->batch = mem_new(c->batch_size);
	return !atomic_load(&log_channels[LOG_MAIN].is_running) || atomic_load(&c->is_running) ||
	       log_writer_start(c);
}

bool log_prepare(const char *name)
{
	return prepare(&log_channels[LOG_MAIN], name);
}

bool log_access_prepare(const char *name)
{
	struct log_channel *c = &log_channels[LOG_ACCESS];

	return make_access(c) && prepare(c, name);
}

void log_use_prepared(void)
{
	for (int i = 0; i < LOG_CHANNELS; i++) {
		struct log_channel *c = &log_channels[i];

		if (!c->is_prepared)
			continue;
		log_channel_set_target(c, c->prepared);
		c->is_prepared = false;
		if (i == LOG_ACCESS)
			atomic_store(&c->is_on, true);
	}
}

void log_drop_prepared(void)
{
	int saved = errno;

	for (int i = 0; i < LOG_CHANNELS; i++) {
		if (log_channels[i].is_prepared)
			log_target_close(&log_channels[i].prepared);
		log_channels[i].is_prepared = false;
	}
	errno = saved;
}

bool log_access_open(const char *name)
{
	struct log_channel *c = &log_channels[LOG_ACCESS];
	struct log_target opened;

	if (!log_target_open(&opened, name))
		return false;
	log_channel_set_target(c, opened);
	if (!make_access(c))
		return false;
	atomic_store(&c->is_on, true);
	return true;
}

void log_access_close(void)
{
	struct log_channel *c = &log_channels[LOG_ACCESS];

	if (!atomic_exchange(&c->is_on, false))
		return;
	log_drain(c);
	log_channel_set_target(c, (struct log_target){.fd = -1, .kind = LOG_TARGET_FILE});
}

bool log_access_is_on(void)
{
	return atomic_load_explicit(&log_channels[LOG_ACCESS].is_on, memory_order_relaxed);
}

uint64_t log_lost(void)
{
	return atomic_load(&log_channels[LOG_MAIN].lost);
}

uint64_t log_access_lost(void)
{
	return atomic_load(&log_channels[LOG_ACCESS].lost);
}

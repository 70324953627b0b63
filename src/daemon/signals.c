/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void handled(sigset_t *set)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(set, numbers[i]);
}

void signals_hold(void)
{
	sigset_t set;

	handled(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_init(void)
{
	/* A peer or a reader of the log that is gone, or a log that has reached the
	 * limit of its size, is told by errno. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* They mean nothing here, but would end the process. */
	for (int n = SIGRTMIN; n <= SIGRTMAX; n++)
		signal(n, SIG_IGN);
}

int signals_open(void)
{
	sigset_t set;

	handled(&set);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int signals_next(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

bool signals_is_stop(int number)
{
	return number == SIGTERM || number == SIGINT;
}

const char *signals_name(int number, char text[16])
{
	const char *name = sigabbrev_np(number);

	if (name)
		snprintf(text, 16, "SIG%s", name);
	else
		snprintf(text, 16, "%d", number);
	return text;
}

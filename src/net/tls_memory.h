/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* OpenSSL's allocations, counted in the budget (base/budget.h). The buffer that a record is read
 * or written in lives for one call only (SSL_MODE_RELEASE_BUFFERS); each thread keeps a few of
 * that size, so that a message costs no walk through the heap. */

/* Before anything else of OpenSSL is called; harmless if it comes too late. */
void tls_memory_init(void);
/* Gives back what this thread keeps: at its end. */
void tls_memory_thread_fini(void);

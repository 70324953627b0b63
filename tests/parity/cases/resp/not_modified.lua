-- SPDX-License-Identifier: BSD-2-Clause
-- 304 has neither body nor length.
ngx.exit(304)

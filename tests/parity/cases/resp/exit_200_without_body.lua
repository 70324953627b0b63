-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.status and exit without output.
ngx.status = 404
ngx.exit(200)

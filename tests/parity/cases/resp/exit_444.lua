-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit(444) answers nothing.
ngx.exit(444)

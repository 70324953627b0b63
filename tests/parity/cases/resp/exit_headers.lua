-- SPDX-License-Identifier: BSD-2-Clause
-- Headers that were set before go out with the page.
ngx.header["X-Mine"] = "yes"
ngx.header["WWW-Authenticate"] = 'Basic realm="x"'
ngx.exit(401)

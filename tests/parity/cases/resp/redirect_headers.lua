-- SPDX-License-Identifier: BSD-2-Clause
-- Headers go out with a redirect.
ngx.header["X-Mine"] = "yes"
ngx.header["Set-Cookie"] = "a=1"
ngx.redirect("/x")

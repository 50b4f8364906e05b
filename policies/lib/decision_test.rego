package svidgate.decision_test

import data.svidgate.decision

test_allow if decision.allow({"x-caller": "a"}) == {"allowed": true, "headers": {"x-caller": "a"}}

test_deny if {
	answer := decision.deny(403, "a \"quoted\" sentence")
	answer.allowed == false
	answer.http_status == 403
	json.unmarshal(answer.body) == {"error": "a \"quoted\" sentence"}
}

test_unauthenticated if {
	decision.unauthenticated.allowed == false
	decision.unauthenticated.http_status == 401
	decision.unauthenticated.headers["www-authenticate"] == "Bearer"
}

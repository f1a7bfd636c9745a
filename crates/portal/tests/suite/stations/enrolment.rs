//! Enrolment.

use gm::SigningKey;
use portal::enrol::{EnrolError, EnrolRequest, Enrolment, add_station};
use rcgen::KeyPair;

use crate::stations::desk::{enrol_request, on_desk};

on_desk!(p10_a_code_enrols_one_station_once_under_the_portals_name_for_it, |portal| {
    let config = portal.config.clone();
    let enrolment = portal.runtime.block_on(Enrolment::open(&portal.desk)).unwrap();
    let code = portal.runtime.block_on(add_station(&config, &"bench-7".parse().unwrap())).unwrap();
    let (tls, sealing) = (KeyPair::generate().unwrap(), SigningKey::generate().unwrap());
    let enrol = |request: &EnrolRequest| portal.runtime.block_on(enrolment.enrol(request, "192.0.2.1"));

    // Typed as people type; the request names the portal itself, which does not matter.
    let typed = code.to_lowercase().replace('-', " ");
    let mut request = enrol_request(&typed, &tls, &sealing);
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "portal");
    request.tls_request_pem = params.serialize_request(&tls).unwrap().pem().unwrap();
    let reply = enrol(&request).unwrap();
    assert_eq!(reply.station.as_str(), "bench-7");
    assert_eq!((reply.broker_host.as_str(), reply.broker_port), ("localhost", config.broker.port));
    let folder = portal.folder.path();
    std::fs::write(folder.join("station.pem"), &reply.certificate_pem).unwrap();
    std::fs::write(folder.join("ca.pem"), &reply.ca_pem).unwrap();
    let openssl = |arguments: &[&str]| {
        let output =
            std::process::Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    openssl(&["verify", "-purpose", "sslclient", "-CAfile", "ca.pem", "station.pem"]);
    let subject = openssl(&["x509", "-in", "station.pem", "-noout", "-subject"]);
    assert_eq!(subject.trim(), "subject=CN = bench-7");

    // n11: the same code with the same keys, asked again because the answer was lost.
    assert_eq!(enrol(&enrol_request(&code, &tls, &sealing)).unwrap(), reply);
    // Anybody else's keys are refused.
    let other = KeyPair::generate().unwrap();
    assert!(matches!(enrol(&enrol_request(&code, &other, &sealing)), Err(EnrolError::Used)));
    let other = SigningKey::generate().unwrap();
    assert!(matches!(enrol(&enrol_request(&code, &tls, &other)), Err(EnrolError::Used)));
    // The code is nowhere in the database.
    let stored = crate::bench::stored(&config);
    assert!(!stored.windows(code.len()).any(|window| window == code.as_bytes()));
});

on_desk!(wrong_and_expired_codes_are_refused_and_guessing_is_slowed, |portal| {
    let enrolment = portal.runtime.block_on(Enrolment::open(&portal.desk)).unwrap();
    let name = "bench-7".parse().unwrap();
    let replaced = portal.runtime.block_on(add_station(&portal.config, &name)).unwrap();
    let code = portal.runtime.block_on(add_station(&portal.config, &name)).unwrap();
    let (tls, sealing) = (KeyPair::generate().unwrap(), SigningKey::generate().unwrap());
    let enrol = |code: &str, from: &str| {
        portal.runtime.block_on(enrolment.enrol(&enrol_request(code, &tls, &sealing), from))
    };
    assert!(matches!(enrol(&replaced, "192.0.2.1"), Err(EnrolError::Code)), "a newer code replaces it");
    for _ in 0..4 {
        assert!(matches!(enrol("00000-00000-00000-00000", "192.0.2.1"), Err(EnrolError::Code)));
    }
    assert!(matches!(enrol(&code, "192.0.2.1"), Err(EnrolError::Throttled(_))));
    // Others are not slowed by it.
    portal.pass(24 * 3600 + 60);
    assert!(matches!(enrol(&code, "192.0.2.2"), Err(EnrolError::Code)), "it has expired");

    let portal_name = portal.runtime.block_on(add_station(&portal.config, &"portal".parse().unwrap()));
    assert!(portal_name.unwrap_err().to_string().contains("portal"));
    let nonsense = portal.runtime.block_on(async {
        let mut request = enrol_request("x", &tls, &sealing);
        request.sm2_public_key_hex = "00".repeat(64);
        enrolment.enrol(&request, "192.0.2.3").await
    });
    assert!(matches!(nonsense, Err(EnrolError::Request(_))));
});

on_desk!(enrolment_over_http_answers_in_json_and_refuses_in_words, |portal| {
    let enrolment = portal.runtime.block_on(Enrolment::open(&portal.desk)).unwrap();
    let listener = portal.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/api/enrol", listener.local_addr().unwrap());
    let app = portal::enrol::router(enrolment).into_make_service_with_connect_info::<std::net::SocketAddr>();
    portal.runtime.spawn(async move { axum::serve(listener, app).await });
    let code = portal.runtime.block_on(add_station(&portal.config, &"bench-7".parse().unwrap())).unwrap();
    let request = enrol_request(&code, &KeyPair::generate().unwrap(), &SigningKey::generate().unwrap());
    let body = serde_json::json!({
        "code": request.code, "tls_request_pem": request.tls_request_pem, "sm2_public_key_hex": request.sm2_public_key_hex,
    });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(&url).send_json(&body).unwrap();
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.body_mut().read_json().unwrap();
    assert_eq!(answer["station"], "bench-7");

    let mut wrong = body.clone();
    wrong["code"] = "00000-00000-00000-00000".into();
    let mut answer = agent.post(&url).send_json(&wrong).unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.body_mut().read_to_string().unwrap().contains("portal station add"));
    let answer = agent.post(&url).send_json(serde_json::json!({ "code": 7 })).unwrap();
    assert_eq!(answer.status(), 422);
    // Behind a proxy on this machine, a stranger brakes himself alone.
    let from = |client: &str, body: &serde_json::Value| {
        agent.post(&url).header("x-forwarded-for", client).send_json(body).unwrap().status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(from("192.0.2.66", &wrong), 403);
    }
    assert_eq!((from("192.0.2.66", &wrong), from("192.0.2.7", &body)), (429, 200));
});

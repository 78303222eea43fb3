//! Secrets stay in the process.

use crate::endings::{check_delivery, upload};
use crate::support::{DataKit, OLD_AND_USUAL, Program, folder, on_jdks};

const SECRET: &str = "hunter2-hunter2";

#[test]
fn secrets_in_properties_arguments_and_addresses_are_in_no_file() {
    on_jdks("secrets", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let file = spool.path().join("all.jfr");
        let url = datakit
            .url()
            .replace("http://", &format!("http://user:{SECRET}@"));
        let options = upload(
            &datakit,
            &spool.path().join("spool"),
            &format!("file={}", file.display()),
        );
        let options = options.replace(&datakit.url(), &url);
        let run = Program::new(
            jdk,
            "ExitKinds",
            &[
                "0.5",
                "return",
                &format!("--password={SECRET}"),
                "--token",
                SECRET,
            ],
        )
        .agent(&options)
        .jvm(format!("-Ddb.password={SECRET}"))
        .jvm(format!("-Dapi.key={SECRET}"))
        .jvm(format!("-Djdbc.url=jdbc:x://user:{SECRET}@host/db"))
        .jvm("-Dharmless.name=to-be-seen")
        .env("DB_PASSWORD", SECRET)
        .run()
        .expect_success();
        let uploads = datakit.uploads();
        check_delivery(&run, &uploads);
        let recording = std::fs::read(&file).expect("a recording");
        let holds = |bytes: &[u8], text: &str| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        assert!(!holds(&recording, SECRET), "the recording holds a secret");
        for text in ["***", "db.password", "to-be-seen"] {
            assert!(holds(&recording, text), "the recording lacks {text}");
        }
        for upload in &uploads {
            assert!(
                !holds(upload.event_json(), SECRET),
                "event.json holds a secret"
            );
        }
        assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
    });
}

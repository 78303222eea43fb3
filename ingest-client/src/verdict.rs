//! What an answer means for the profile, and what to tell the user.
use crate::UploadCounter;
use crate::client::{Answer, Failure};

/// What to do with a profile after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// DataKit has it.
    Taken,
    /// Keep it and try again.
    Retry(UploadCounter),
    /// Keep it, but let somebody change a setting first.
    RetryLater(UploadCounter),
    /// Drop it: the same would come back.
    Drop(UploadCounter),
    /// Drop it, and let somebody change a setting before the next one.
    DropAndPause(UploadCounter),
}

pub(crate) fn of_status(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        300..=399 => Verdict::RetryLater(UploadCounter::RetriedRedirect),
        408 | 425 | 429 => Verdict::Retry(UploadCounter::RetriedBusy),
        400 => Verdict::Drop(UploadCounter::Rejected400),
        401 => Verdict::DropAndPause(UploadCounter::Rejected401),
        403 => Verdict::DropAndPause(UploadCounter::Rejected403),
        404 => Verdict::DropAndPause(UploadCounter::Rejected404),
        413 => Verdict::Drop(UploadCounter::Rejected413),
        402..=499 => Verdict::Drop(UploadCounter::RejectedOther),
        _ => Verdict::Retry(UploadCounter::RetriedServerError),
    }
}

pub(crate) fn of_failure(failure: &Failure) -> Verdict {
    Verdict::Retry(match failure {
        Failure::Connect(_) => UploadCounter::RetriedConnect,
        Failure::Timeout(_) => UploadCounter::RetriedTimeout,
        Failure::Reset(_) => UploadCounter::RetriedReset,
        Failure::Tls(_) => UploadCounter::RetriedTls,
        Failure::Local(_) => UploadCounter::RetriedLocal,
        Failure::GivenUp => UploadCounter::RetriedCut,
        Failure::Source(_) => return Verdict::Drop(UploadCounter::DroppedUnreadable),
    })
}

/// What the answer says, and what to do about it.
pub(crate) fn advice(answer: &Answer) -> String {
    let what = match answer.status {
        300..=399 => {
            let to = answer.location.as_deref().unwrap_or("nowhere");
            return format!(
                "{} to {to}: redirects are not followed, put the right address in url=",
                answer.status
            );
        }
        400 => {
            "the profile was not accepted; if it is too large, raise body_size_limit_mb in conf.d/profile/profile.conf or shorten period="
        }
        401 => "the server asks for a login: put it into the url, http://user:password@host",
        403 => {
            "DataKit does not let this host post: enable its profile input (conf.d/profile/profile.conf) and restart it"
        }
        404 => {
            "DataKit's profile input is not enabled: enable it (conf.d/profile/profile.conf) and restart DataKit, or check the url's path"
        }
        408 | 425 | 429 => "the server is busy",
        413 => "the profile is too large for the server: raise its body limit or shorten period=",
        500..=599 => "the server has a trouble of its own",
        _ => "this is no answer of DataKit's: check the url",
    };
    match answer.text.as_str() {
        "" => format!("{}: {what}", answer.status),
        text => format!("{} ({text}): {what}", answer.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_verdict() {
        use UploadCounter::*;
        use Verdict::*;
        for (status, verdict) in [
            (200, Taken),
            (204, Taken),
            (302, RetryLater(RetriedRedirect)),
            (400, Drop(Rejected400)),
            (401, DropAndPause(Rejected401)),
            (402, Drop(RejectedOther)),
            (403, DropAndPause(Rejected403)),
            (404, DropAndPause(Rejected404)),
            (408, Retry(RetriedBusy)),
            (413, Drop(Rejected413)),
            (415, Drop(RejectedOther)),
            (425, Retry(RetriedBusy)),
            (429, Retry(RetriedBusy)),
            (499, Drop(RejectedOther)),
            (500, Retry(RetriedServerError)),
            (503, Retry(RetriedServerError)),
            (999, Retry(RetriedServerError)),
        ] {
            assert_eq!(of_status(status), verdict, "{status}");
        }
    }
}

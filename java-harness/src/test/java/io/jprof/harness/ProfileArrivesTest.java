package io.jprof.harness;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.Test;

/** This JVM runs under the agent, as build.gradle tells it, and receives its own profile. */
public class ProfileArrivesTest {
    /** Many periods (of one second) long, for a machine that is busy with other things. */
    private static final long PATIENCE_SECONDS = 60;

    @Test
    public void aProfileOfThisVeryTestArrives() throws Exception {
        AtomicBoolean enough = new AtomicBoolean();
        Thread worker = new Thread(() -> workThatTheProfileShows(enough), "worker-of-this-test");
        worker.start();
        try (FakeDataKit dataKit = new FakeDataKit(Integer.getInteger("jprof.test.port"))) {
            long giveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
            FakeDataKit.Upload upload = next(dataKit);
            assertEquals("POST", upload.method);
            assertTrue(upload.event(), upload.event().contains("service:gradle-test"));
            assertTrue(upload.event(), upload.event().contains("language:java"));

            // The first ones may be of the time before this test.
            boolean shown = false;
            while (!shown) {
                assertTrue("no profile shows this test within " + PATIENCE_SECONDS + " s", System.nanoTime() - giveUp < 0);
                FakeDataKit.Upload later = next(dataKit);
                // A profile begins where the one before it ended, to the letter.
                assertEquals(value(upload.event(), "end"), value(later.event(), "start"));
                upload = later;
                shown = showsThisTest(upload.recording());
            }
        } finally {
            enough.set(true);
            worker.join();
        }
    }

    private static boolean showsThisTest(byte[] recording) {
        assertArrayEquals(new byte[] {'F', 'L', 'R', 0}, Arrays.copyOf(recording, 4));
        String text = new String(recording, StandardCharsets.ISO_8859_1);
        return text.contains("datadog.ExecutionSample")
                && text.contains("workThatTheProfileShows")
                && text.contains("ProfileArrivesTest")
                && text.contains("worker-of-this-test");
    }

    private static FakeDataKit.Upload next(FakeDataKit dataKit) throws InterruptedException {
        FakeDataKit.Upload upload = dataKit.next(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertNotNull("no profile arrived within " + PATIENCE_SECONDS + " s", upload);
        return upload;
    }

    /** The text of a top-level key of the metadata. */
    private static String value(String json, String key) {
        String marker = "\"" + key + "\":";
        int at = json.indexOf(marker);
        assertTrue("no " + key + " in " + json, at >= 0);
        int from = json.indexOf('"', at + marker.length()) + 1;
        return json.substring(from, json.indexOf('"', from));
    }

    private static void workThatTheProfileShows(AtomicBoolean enough) {
        while (!enough.get()) {
            Work.piece();
        }
    }
}

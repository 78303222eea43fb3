package io.jprof.harness;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;

/** As much of DataKit as an uploader meets: the profiling endpoint, which takes everything and answers 200. */
final class FakeDataKit implements Closeable {
    private final HttpServer server;
    private final BlockingQueue<Upload> uploads = new LinkedBlockingQueue<>();

    FakeDataKit(int port) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/profiling/v1/input", this::take);
        server.start();
    }

    /** The next upload, or null when none comes in time. */
    Upload next(long timeout, TimeUnit unit) throws InterruptedException {
        return uploads.poll(timeout, unit);
    }

    @Override
    public void close() {
        server.stop(0);
    }

    private void take(HttpExchange exchange) throws IOException {
        byte[] body = readAll(exchange.getRequestBody());
        uploads.add(new Upload(exchange.getRequestMethod(), exchange.getRequestHeaders().getFirst("Content-Type"), body));
        exchange.sendResponseHeaders(200, -1);
        exchange.close();
    }

    private static byte[] readAll(InputStream in) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            bytes.write(buffer, 0, n);
        }
        return bytes.toByteArray();
    }

    /** One request, taken apart. */
    static final class Upload {
        final String method;
        /** The parts by name; bytes as ISO-8859-1 text, which keeps each byte. */
        private final Map<String, String> parts = new LinkedHashMap<>();

        Upload(String method, String contentType, byte[] body) {
            this.method = method;
            String marker = "boundary=";
            int at = contentType == null ? -1 : contentType.indexOf(marker);
            if (at < 0) {
                throw new IllegalArgumentException("not multipart: " + contentType);
            }
            String delimiter = "\r\n--" + contentType.substring(at + marker.length()).replace("\"", "");
            String text = "\r\n" + new String(body, StandardCharsets.ISO_8859_1);
            int start = text.indexOf(delimiter);
            for (int end = text.indexOf(delimiter, start + 1); end >= 0; end = text.indexOf(delimiter, start + 1)) {
                addPart(text.substring(start + delimiter.length() + 2, end));
                start = end;
            }
        }

        private void addPart(String part) {
            int blankLine = part.indexOf("\r\n\r\n");
            String head = part.substring(0, blankLine);
            String marker = "; name=\"";
            int name = head.indexOf(marker) + marker.length();
            if (!head.contains("filename=\"")) {
                throw new IllegalArgumentException("DataKit takes a part without a file name for a form value: " + head);
            }
            parts.put(head.substring(name, head.indexOf('"', name)), part.substring(blankLine + 4));
        }

        /** The metadata, a JSON object. */
        String event() {
            return new String(part("event"), StandardCharsets.UTF_8);
        }

        /** The recording, decompressed. */
        byte[] recording() throws IOException {
            return readAll(new GZIPInputStream(new ByteArrayInputStream(part("main"))));
        }

        private byte[] part(String name) {
            String part = parts.get(name);
            if (part == null) {
                throw new IllegalArgumentException("no part " + name + " in " + parts.keySet());
            }
            return part.getBytes(StandardCharsets.ISO_8859_1);
        }
    }
}

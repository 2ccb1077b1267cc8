package dev.retrograd.trainer.report;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Serves a run's page on this machine alone while the run goes on; the page follows it.
public final class ReportServer implements AutoCloseable {
    private static final int NOT_FOUND = 404;
    private static final int OK = 200;
    private static final int BUSY = 503;

    private final HttpServer server;

    private ReportServer(HttpServer server) {
        this.server = server;
    }

    /// @param run the run's folder
    /// @param port 0 for any that is free
    /// @throws IOException if the port is taken; names it
    public static ReportServer start(Path run, int port) throws IOException {
        HttpServer server;
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        } catch (IOException e) {
            throw new IOException("report: port " + port + " cannot be used: " + e.getMessage(), e);
        }
        server.createContext("/", exchange -> answer(exchange, run));
        server.setExecutor(task -> Thread.ofPlatform().daemon().name("report").start(task));
        server.start();
        return new ReportServer(server);
    }

    /// Where a browser finds it.
    public URI address() {
        return URI.create("http://" + server.getAddress().getAddress().getHostAddress() + ":" + server.getAddress().getPort() + "/");
    }

    private static void answer(HttpExchange exchange, Path run) throws IOException {
        try (exchange) {
            try {
                switch (exchange.getRequestURI().getPath()) {
                    case "/" -> send(exchange, OK, "text/html; charset=utf-8", HtmlReport.page(run));
                    case "/run.json" -> send(exchange, OK, "application/json", RunSummary.read(run).toString());
                    default -> send(exchange, NOT_FOUND, "text/plain", "not found\n");
                }
            } catch (IOException e) {
                // The run has just begun and its settings are not written, or the disk fails: the page asks again.
                send(exchange, BUSY, "text/plain; charset=utf-8", e.getMessage() + "\n");
            }
        }
    }

    private static void send(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    @Override public void close() {
        server.stop(0);
    }
}

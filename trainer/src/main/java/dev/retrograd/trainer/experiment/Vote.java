package dev.retrograd.trainer.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.JsonError;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// One answer of a person: which of two models' images is better, by a question.
///
/// @param voter who answered, as the page was told
/// @param pair the page's name of the comparison
/// @param question such as `fidelity`
/// @param winner name of a model; likewise the loser
public record Vote(String voter, String pair, String question, String winner, String loser) {
    private static final List<String> FIELDS = List.of("voter", "pair", "question", "winner", "loser");
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Reads what the page exports: a JSON list of votes, or CSV with a heading.
    ///
    /// @throws IOException if the file cannot be read or holds something else; names it
    public static List<Vote> read(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new IOException(file + ": a file of votes is required, got a folder");
        }
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new IOException(file + ": must be UTF-8, got other bytes", e);
        }
        return text.stripLeading().startsWith("[") ? json(file, text) : csv(file, text);
    }

    private static List<Vote> json(Path file, String text) throws IOException {
        JsonNode all;
        try {
            all = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IOException(file + ": votes as a JSON list are required, got " + JsonError.withPlace(e), e);
        }
        List<Vote> votes = new ArrayList<>();
        for (JsonNode vote : all) {
            List<String> values = new ArrayList<>();
            for (String field : FIELDS) {
                if (!vote.path(field).isTextual()) {
                    throw new IOException(file + ": every vote must have the text '" + field + "', got " + vote);
                }
                values.add(vote.get(field).asText());
            }
            votes.add(of(file, values));
        }
        return votes;
    }

    private static List<Vote> csv(Path file, String text) throws IOException {
        List<String> lines = text.lines().filter(l -> !l.isBlank()).toList();
        if (lines.isEmpty() || !fields(lines.getFirst()).equals(FIELDS)) {
            throw new IOException(file + ": votes as a JSON list, or as CSV with the heading " + String.join(",", FIELDS) + " are required, got " + (lines.isEmpty() ? "nothing" : "'" + lines.getFirst() + "'"));
        }
        List<Vote> votes = new ArrayList<>();
        for (int i = 1; i < lines.size(); i++) {
            List<String> values = fields(lines.get(i));
            if (values.size() != FIELDS.size()) {
                throw new IOException(file + ": line " + (i + 1) + " must have " + FIELDS.size() + " fields, got " + values.size());
            }
            votes.add(of(file, values));
        }
        return votes;
    }

    /// Fields of a line of RFC 4180.
    private static List<String> fields(String line) {
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '"' && quoted && i + 1 < line.length() && line.charAt(i + 1) == '"') {
                field.append('"');
                i++;
            } else if (c == '"') {
                quoted = !quoted;
            } else if (c == ',' && !quoted) {
                fields.add(field.toString());
                field.setLength(0);
            } else {
                field.append(c);
            }
        }
        fields.add(field.toString());
        return fields;
    }

    private static Vote of(Path file, List<String> values) throws IOException {
        Vote vote = new Vote(values.get(0), values.get(1), values.get(2), values.get(3), values.get(4));
        if (vote.winner.equals(vote.loser) || vote.winner.isEmpty() || vote.loser.isEmpty()) {
            throw new IOException(file + ": a vote must be between two models, got '" + vote.winner + "' and '" + vote.loser + "'");
        }
        return vote;
    }
}

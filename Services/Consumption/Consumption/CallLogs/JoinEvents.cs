using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>
/// Puts a stream of events together, as its reader would: events of the same type and index become one, in which what came in pieces is whole, and everything else is as it was told last.
/// <code>
/// {"choices":[{"index":0,"delta":{"content":"Hel"}}]}
/// {"choices":[{"index":0,"delta":{"content":"lo"}}]}                    ─► [{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}]
/// {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
/// </code>
/// Pieces are the strings in a member <c>delta</c> (Chat, Responses, Messages), and <c>text</c> of a choice (Completions).
/// </summary>
internal static class JoinEvents
{
    private static readonly string[] Indices = ["index", "output_index", "content_index", "summary_index", "item_id"];

    // In a delta, but told whole.
    private static readonly HashSet<string> Whole = new(StringComparer.Ordinal) { "type", "role", "id", "object", "name", "stop_reason", "finish_reason", "stop_sequence" };

    public static JsonArray Of(ReadOnlyMemory<byte> stream, JsonDocumentOptions reading)
    {
        var (joined, order) = (new Dictionary<string, JsonNode>(StringComparer.Ordinal), new List<string>());
        using var bytes = new MemoryStream(stream.ToArray(), writable: false);
        foreach (var sent in SseParser.Create(bytes).Enumerate())
        {
            if (Read(sent.Data, reading) is not JsonObject one)
            {
                continue; // [DONE]
            }

            var key = KeyOf(one);
            if (joined.TryGetValue(key, out var before))
            {
                joined[key] = Merge(before, one, null, false)!;
            }
            else
            {
                joined[key] = one;
                order.Add(key);
            }
        }

        return new JsonArray([.. order.Select(key => joined[key])]);
    }

    private static JsonObject? Read(string data, JsonDocumentOptions reading)
    {
        try
        {
            var node = JsonNode.Parse(data, documentOptions: reading);
            return node is JsonObject members && members.Count >= 0 ? members : null; // Counting reads it: a member given twice is found here.
        }
        catch (Exception wrong) when (wrong is JsonException or ArgumentException)
        {
            return null;
        }
    }

    private static string KeyOf(JsonObject one) => string.Join(' ', Indices.Prepend("type").Select(name => one[name] is JsonValue value ? value.ToJsonString() : "-"));

    private static JsonNode? Merge(JsonNode? before, JsonNode? more, string? name, bool isPiece)
    {
        switch (before, more)
        {
            case (_, null):
                return before;
            case (JsonObject old, JsonObject members):
                foreach (var (member, value) in members.ToArray())
                {
                    members.Remove(member);
                    var merged = Merge(old[member], value, member, isPiece || member == "delta" || (name == "choices" && member == "text"));
                    if (!ReferenceEquals(merged, old[member]))
                    {
                        old[member] = merged;
                    }
                }

                return old;
            case (JsonArray old, JsonArray items):
                for (var i = 0; i < items.Count; i++)
                {
                    MergeItem(old, items[i], i, name, isPiece);
                }

                return old;
            case (JsonValue old, JsonValue piece) when isPiece && !Whole.Contains(name!) && old.GetValueKind() == JsonValueKind.String && piece.GetValueKind() == JsonValueKind.String:
                return JsonValue.Create(old.GetValue<string>() + piece.GetValue<string>());
            default:
                return more.DeepClone();
        }
    }

    private static void MergeItem(JsonArray old, JsonNode? item, int position, string? name, bool isPiece)
    {
        var index = item is JsonObject members && members["index"] is JsonValue told && told.TryGetValue<int>(out var number) ? number : (int?)null;
        var at = index is null ? position : old.ToList().FindIndex(one => one is JsonObject known && known["index"] is JsonValue value && value.TryGetValue<int>(out var its) && its == index);
        if (at < 0 || at >= old.Count)
        {
            old.Add(item?.DeepClone());
            return;
        }

        var merged = Merge(old[at], item?.DeepClone(), name, isPiece);
        if (!ReferenceEquals(merged, old[at]))
        {
            old[at] = merged;
        }
    }
}

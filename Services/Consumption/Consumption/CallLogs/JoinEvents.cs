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
/// Pieces are the strings in a member <c>delta</c> (Chat, Responses, Messages), and <c>text</c> of a choice (Completions). The time grows with the stream alone, however it is split.
/// </summary>
internal static class JoinEvents
{
    private static readonly string[] Indices = ["index", "output_index", "content_index", "summary_index", "item_id"];

    /// <param name="stream">The events.</param>
    /// <param name="reading">How their data are read; what is not JSON then is left out.</param>
    public static JsonArray Of(ReadOnlyMemory<byte> stream, JsonDocumentOptions reading)
    {
        var joined = new OrderedDictionary<string, JoinedValue>(StringComparer.Ordinal);
        using var bytes = new MemoryStream(stream.ToArray(), writable: false);
        foreach (var sent in SseParser.Create(bytes).Enumerate())
        {
            if (Read(sent.Data, reading) is not { } document)
            {
                continue; // [DONE]
            }

            using (document)
            {
                var key = KeyOf(document.RootElement);
                if (!joined.TryGetValue(key, out var before))
                {
                    joined.Add(key, before = new JoinedValue());
                }

                before.Take(document.RootElement, null, isPiece: false);
            }
        }

        return new JsonArray([.. joined.Values.Select(one => one.ToNode())]);
    }

    private static JsonDocument? Read(string data, JsonDocumentOptions reading)
    {
        try
        {
            var document = JsonDocument.Parse(data, reading);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string KeyOf(JsonElement one) => string.Join(
        ' ', Indices.Prepend("type").Select(name => one.TryGetProperty(name, out var value) && value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array) ? value.GetRawText() : "-"));
}

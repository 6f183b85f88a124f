using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What an item of a response holds. A refusal is a message too.</summary>
internal enum ItemKind
{
    Reasoning,
    Text,
    Refusal,
    Call,
}

/// <summary>One item under way; texts are as they are escaped.</summary>
internal sealed record ResponseItem(int Index, ItemKind Kind, string Id, byte[] CallId, byte[] Name)
{
    public ArrayBufferWriter<byte> Text { get; } = new();

    /// <summary>Reasoning that the provider signed (<see cref="ThinkingBlocks"/>).</summary>
    public string? Sealed { get; set; }
}

/// <summary>The response object of the Responses API (https://platform.openai.com/docs/api-reference/responses/object), as it grows.</summary>
internal sealed class ResponseItems(AnswerHead head)
{
    private readonly List<ResponseItem> items = [];

    public ResponseItem Add(ItemKind kind, ReadOnlySpan<byte> callId = default, ReadOnlySpan<byte> name = default)
    {
        var prefix = kind switch { ItemKind.Reasoning => "rs_", ItemKind.Call => "fc_", _ => "msg_" };
        var item = new ResponseItem(items.Count, kind, $"{head.Id(prefix)}_{items.Count}", callId.ToArray(), name.ToArray());
        items.Add(item);
        return item;
    }

    public static void Append(ResponseItem item, ReadOnlySpan<byte> escaped) => item.Text.Write(escaped);

    /// <summary>Members of the response; its object is open.</summary>
    public void WriteResponse(Utf8JsonWriter json, (string Status, string? Incomplete) end, TokenUsage? usage)
    {
        json.WriteString("id"u8, head.Id("resp_"));
        json.WriteString("object"u8, "response"u8);
        json.WriteNumber("created_at"u8, head.CreatedAt.ToUnixTimeSeconds());
        json.WriteString("status"u8, end.Status);
        json.WriteNull("error"u8);
        if (end.Incomplete is { } reason)
        {
            json.WriteStartObject("incomplete_details"u8);
            json.WriteString("reason"u8, reason);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details"u8);
        }

        json.WriteString("model"u8, head.Model);
        json.WriteStartArray("output"u8);
        foreach (var item in items)
        {
            json.WriteStartObject();
            WriteItem(json, item, end.Incomplete is not null && item == items[^1] ? "incomplete"u8 : "completed"u8);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteEcho(json);
        json.WriteNull("previous_response_id"u8);
        json.WriteBoolean("store"u8, false);
        json.WriteResponsesUsage(usage);
    }

    /// <summary>Members of an item; its object is open.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="item">Which.</param>
    /// <param name="status"><c>in_progress</c> leaves its content empty.</param>
    public static void WriteItem(Utf8JsonWriter json, ResponseItem item, ReadOnlySpan<byte> status)
    {
        var begins = status.SequenceEqual("in_progress"u8);
        json.WriteString("id"u8, item.Id);
        json.WriteString("type"u8, item.Kind switch { ItemKind.Reasoning => "reasoning", ItemKind.Call => "function_call", _ => "message" });
        json.WriteString("status"u8, status);
        if (item.Kind == ItemKind.Call)
        {
            json.Escaped("call_id"u8, item.CallId);
            json.Escaped("name"u8, item.Name);
            json.Escaped("arguments"u8, begins ? default : item.Text.WrittenSpan);
            return;
        }

        if (item.Kind == ItemKind.Reasoning)
        {
            json.WriteStartArray("summary"u8);
            json.WriteEndArray();
            if (item.Sealed is { } secret && !begins)
            {
                json.WriteString("encrypted_content"u8, secret);
            }
        }
        else
        {
            json.WriteString("role"u8, "assistant"u8);
        }

        json.WriteStartArray("content"u8);
        if (!begins && (item.Sealed is null || item.Text.WrittenCount > 0))
        {
            json.WriteStartObject();
            WritePart(json, item, item.Text.WrittenSpan);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Members of an item's one part; its object is open.</summary>
    public static void WritePart(Utf8JsonWriter json, ResponseItem item, ReadOnlySpan<byte> text)
    {
        json.WriteString("type"u8, item.Kind switch { ItemKind.Reasoning => "reasoning_text", ItemKind.Refusal => "refusal", _ => "output_text" });
        json.Escaped(item.Kind == ItemKind.Refusal ? "refusal"u8 : "text"u8, text);
        if (item.Kind == ItemKind.Text)
        {
            json.WriteStartArray("annotations"u8);
            json.WriteEndArray();
            json.WriteStartArray("logprobs"u8);
            json.WriteEndArray();
        }
    }

    private void WriteEcho(Utf8JsonWriter json)
    {
        if (head.Echo.IsEmpty)
        {
            return;
        }

        using var echo = JsonDocument.Parse(head.Echo);
        foreach (var member in echo.RootElement.EnumerateObject())
        {
            json.Raw(member.Name, member.Value);
        }
    }
}

using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>One event of a Messages stream (https://docs.anthropic.com/en/api/messages-streaming), read without a tree.</summary>
internal ref struct MessagesEvent(ReadOnlySpan<byte> data)
{
    private readonly ReadOnlySpan<byte> data = data;
    private Utf8JsonReader reader = new(data);

    public Slice? Type { get; private set; }

    /// <summary>The type of its block or delta.</summary>
    public Slice? Part { get; private set; }

    public Slice? Id { get; private set; }

    public Slice? Name { get; private set; }

    /// <summary>The delta's text: <c>text</c>, <c>thinking</c>, <c>partial_json</c>, <c>signature</c>, <c>data</c>.</summary>
    public Slice? Text { get; private set; }

    public Slice? StopReason { get; private set; }

    public ProviderError? Error { get; private set; }

    public readonly bool Is(ReadOnlySpan<byte> type) => data.Of(Type).SequenceEqual(type);

    public readonly bool PartIs(ReadOnlySpan<byte> type) => data.Of(Part).SequenceEqual(type);

    /// <exception cref="JsonException">It is no event of this protocol.</exception>
    public void Read(ref UsageFields usage)
    {
        if (!EventReading.Enter(ref reader))
        {
            throw new JsonException("An object is expected.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                Type = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                usage.Read(ref reader, data);
            }
            else if (reader.ValueTextEquals("message"u8))
            {
                ReadMessage(ref usage);
            }
            else if (reader.ValueTextEquals("content_block"u8) || reader.ValueTextEquals("delta"u8))
            {
                ReadPart();
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                Error = ProviderError.Read(ref reader);
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }

        while (reader.Read())
        {
            // Nothing may follow; the reader says so.
        }

        if (Type is null)
        {
            throw new JsonException("The event has no type.");
        }
    }

    private void ReadMessage(ref UsageFields usage)
    {
        if (!EventReading.Enter(ref reader))
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("usage"u8))
            {
                usage.Read(ref reader, data);
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }
    }

    private void ReadPart()
    {
        if (!EventReading.Enter(ref reader))
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                Part = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("id"u8))
            {
                Id = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("name"u8))
            {
                Name = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("stop_reason"u8))
            {
                StopReason = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("text"u8) || reader.ValueTextEquals("thinking"u8) || reader.ValueTextEquals("partial_json"u8) || reader.ValueTextEquals("data"u8))
            {
                Text = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("signature"u8))
            {
                var signature = EventReading.ReadText(ref reader);
                Text ??= signature; // A block begins with both, empty.
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }
    }
}

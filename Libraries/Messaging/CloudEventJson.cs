using System.Globalization;
using System.Text.Json;

namespace LlmMarketplace.Messaging;

/// <summary>An event on its way.</summary>
/// <param name="Id">CloudEvents <c>id</c>.</param>
/// <param name="Type">CloudEvents <c>type</c>.</param>
/// <param name="Key">CloudEvents <c>subject</c>: the aggregate's id.</param>
/// <param name="Time">CloudEvents <c>time</c>.</param>
/// <param name="AggregateVersion">Extension <c>aggregateversion</c>.</param>
/// <param name="Sequence">Extension <c>sequence</c>: dense within the topic, given after the commit; 0: not given yet, and not written.</param>
/// <param name="Traceparent">Extension <c>traceparent</c> (Distributed Tracing).</param>
/// <param name="Data">CloudEvents <c>data</c>, as JSON.</param>
internal readonly record struct Envelope(
    Guid Id,
    string Type,
    Guid Key,
    DateTimeOffset Time,
    long AggregateVersion,
    long Sequence,
    string? Traceparent,
    ReadOnlyMemory<byte> Data);

/// <summary>The JSON event format of CloudEvents 1.0, structured mode. Numbers beyond 32 bits are strings, as the format asks.</summary>
internal static class CloudEventJson
{
    public const string ContentType = "application/cloudevents+json";
    public const string BatchContentType = "application/cloudevents-batch+json";

    /// <summary>Writes one event.</summary>
    public static void Write(Utf8JsonWriter json, string service, in Envelope e)
    {
        json.WriteStartObject();
        json.WriteString("specversion", "1.0");
        json.WriteString("id", e.Id);
        json.WriteString("source", $"/services/{service}");
        json.WriteString("type", e.Type);
        json.WriteString("subject", e.Key);
        json.WriteString("time", e.Time);
        json.WriteString("datacontenttype", "application/json");
        json.WriteString("aggregateversion", e.AggregateVersion.ToString(CultureInfo.InvariantCulture));
        if (e.Sequence > 0)
        {
            json.WriteString("sequence", e.Sequence.ToString("D19", CultureInfo.InvariantCulture)); // the Sequence extension orders lexicographically
        }

        if (e.Traceparent is { } traceparent)
        {
            json.WriteString("traceparent", traceparent);
        }

        json.WritePropertyName("data");
        json.WriteRawValue(e.Data.Span, skipInputValidation: true);
        json.WriteEndObject();
    }

    /// <summary>Reads one event.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="FormatException">It is not one of our events; the message says why.</exception>
    public static Envelope Read(ReadOnlyMemory<byte> json)
    {
        string? specversion = null, id = null, type = null, subject = null, time = null, version = null, sequence = null, traceparent = null;
        ReadOnlyMemory<byte>? data = null;
        var reader = new Utf8JsonReader(json.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new FormatException("The event is not a JSON object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (name == "data")
            {
                data = json[start..(int)reader.BytesConsumed];
                continue;
            }

            var text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            _ = name switch
            {
                "specversion" => specversion = text,
                "id" => id = text,
                "type" => type = text,
                "subject" => subject = text,
                "time" => time = text,
                "aggregateversion" => version = text,
                "sequence" => sequence = text,
                "traceparent" => traceparent = text,
                _ => null,
            };
        }

        if (specversion != "1.0")
        {
            throw new FormatException("The event's specversion is not 1.0.");
        }

        return new Envelope(
            Guid.TryParse(id, out var guid) ? guid : throw new FormatException("The event's id is not a UUID."),
            type is { Length: > 0 } ? type : throw new FormatException("The event has no type."),
            Guid.TryParse(subject, out var key) ? key : throw new FormatException("The event's subject is not a UUID."),
            DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : throw new FormatException("The event has no time."),
            long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var aggregateVersion) ? aggregateVersion : throw new FormatException("The event has no aggregateversion."),
            long.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var order) ? order : throw new FormatException("The event has no sequence."),
            traceparent,
            data ?? throw new FormatException("The event has no data."));
    }

    /// <summary>Cuts a batch into its events, without reading them.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="FormatException">It is not a JSON array.</exception>
    public static List<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> batch)
    {
        var events = new List<ReadOnlyMemory<byte>>();
        var reader = new Utf8JsonReader(batch.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
        {
            throw new FormatException("The batch is not a JSON array.");
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            events.Add(batch[start..(int)reader.BytesConsumed]);
        }

        return events;
    }
}

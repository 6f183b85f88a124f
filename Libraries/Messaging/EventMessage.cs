using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Messaging;

/// <summary>An event for those who are told it by other ways than its topic. It is the same CloudEvent, but without <c>sequence</c>: its place in the topic is given after the commit.</summary>
public sealed class EventMessage
{
    private readonly string service;
    private readonly OutboxRow row;

    internal EventMessage(string service, OutboxRow row) => (this.service, this.row) = (service, row);

    /// <summary>CloudEvents <c>id</c>.</summary>
    public Guid Id => row.Id;

    /// <summary>CloudEvents <c>type</c>.</summary>
    public string Type => row.Type;

    /// <summary>An event that stands in no topic.</summary>
    /// <param name="service">Who tells it.</param>
    /// <param name="type">CloudEvents <c>type</c>.</param>
    /// <param name="key">CloudEvents <c>subject</c>.</param>
    /// <param name="time">CloudEvents <c>time</c>.</param>
    /// <param name="data">CloudEvents <c>data</c>.</param>
    public static EventMessage Of<TEvent>(string service, string type, Guid key, DateTimeOffset time, TEvent data)
        where TEvent : class =>
        new(service, new OutboxRow { Id = Guid.CreateVersion7(time), Topic = "", Key = key, AggregateVersion = 1, Type = type, Data = JsonSerializer.Serialize(data, Json.Options), Time = time });

    /// <summary>The CloudEvent, as JSON in structured mode (<c>application/cloudevents+json</c>).</summary>
    public string ToJson()
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json))
        {
            CloudEventJson.Write(writer, service, new Envelope(row.Id, row.Type, row.Key, row.Time, row.AggregateVersion, Sequence: 0, row.Traceparent, Encoding.UTF8.GetBytes(row.Data)));
        }

        return Encoding.UTF8.GetString(json.WrittenSpan);
    }
}

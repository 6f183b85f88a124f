using System.Buffers;
using System.Text;
using System.Text.Json;
using CloudNative.CloudEvents;
using CloudNative.CloudEvents.Extensions;
using CloudNative.CloudEvents.SystemTextJson;

namespace LlmMarketplace.Messaging.Tests;

/// <summary>The envelope, as the CloudEvents project's own library reads it.</summary>
public sealed class CloudEventTests
{
    private static readonly Envelope Sample = new(
        Guid.Parse("01997c3a-0000-7000-8000-000000000001"),
        "marketplace.thing.changed.v1",
        Guid.Parse("01997c3a-0000-7000-8000-000000000002"),
        new DateTimeOffset(2026, 5, 4, 3, 2, 1, 789, TimeSpan.Zero),
        AggregateVersion: 9_007_199_254_740_993, // 2^53 + 1: no double holds it.
        Sequence: 42,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        Encoding.UTF8.GetBytes("""{"name":"Ünï \"quoted\" \\ 漢字"}"""));

    [Fact]
    public void Another_implementation_of_CloudEvents_reads_what_is_written()
    {
        var read = new JsonEventFormatter().DecodeStructuredModeMessage(Write(Sample), null, [.. Sequence.AllAttributes, .. DistributedTracing()]);

        Assert.True(read.IsValid);
        Assert.Equal(CloudEventsSpecVersion.V1_0, read.SpecVersion);
        Assert.Equal(Sample.Id.ToString(), read.Id);
        Assert.Equal("/services/publishing", read.Source!.ToString());
        Assert.Equal(Sample.Type, read.Type);
        Assert.Equal(Sample.Key.ToString(), read.Subject);
        Assert.Equal(Sample.Time, read.Time);
        Assert.Equal("application/json", read.DataContentType);
        Assert.Equal("9007199254740993", read["aggregateversion"]);
        Assert.Equal("0000000000000000042", read["sequence"]);
        Assert.Equal(Sample.Traceparent, read["traceparent"]);
        Assert.Equal("Ünï \"quoted\" \\ 漢字", ((JsonElement)read.Data!).GetProperty("name").GetString());
    }

    [Fact]
    public void What_is_written_is_read_back_equal()
    {
        var read = CloudEventJson.Read(Write(Sample));
        Assert.Equal(Sample with { Data = default }, read with { Data = default });
        Assert.Equal(Sample.Data.ToArray(), read.Data.ToArray());

        var bare = Sample with { Traceparent = null };
        Assert.Null(CloudEventJson.Read(Write(bare)).Traceparent);
        Assert.DoesNotContain("traceparent", Encoding.UTF8.GetString(Write(bare)), StringComparison.Ordinal);
    }

    [Fact]
    public void Sequences_as_text_sort_as_their_numbers_do()
    {
        var texts = new[] { 9L, 10, 99, 100, long.MaxValue }.Select(sequence => Text(Write(Sample with { Sequence = sequence }), "sequence")).ToList();
        Assert.Equal(texts, texts.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Unknown_attributes_are_passed_over_whatever_their_type()
    {
        var json = Encoding.UTF8.GetString(Write(Sample));
        var read = CloudEventJson.Read(Encoding.UTF8.GetBytes(json.Insert(1, """ "newer":{"data":{"id":1},"list":[1,[2]]},"flag":true,"none":null,"n":1.5e3,""")));
        Assert.Equal(Sample with { Data = default }, read with { Data = default });
    }

    [Theory]
    [InlineData("\"specversion\":\"1.0\"", "\"specversion\":\"0.3\"", "The event's specversion is not 1.0.")]
    [InlineData("\"specversion\":\"1.0\",", "", "The event's specversion is not 1.0.")]
    [InlineData("\"id\":\"01997c3a-0000-7000-8000-000000000001\"", "\"id\":\"42\"", "The event's id is not a UUID.")]
    [InlineData("\"type\":\"marketplace.thing.changed.v1\"", "\"type\":\"\"", "The event has no type.")]
    [InlineData("\"subject\":\"01997c3a-0000-7000-8000-000000000002\"", "\"subject\":7", "The event's subject is not a UUID.")]
    [InlineData("\"time\":\"2026-05-04T03:02:01.789+00:00\"", "\"time\":\"yesterday\"", "The event has no time.")]
    [InlineData("\"aggregateversion\":\"9007199254740993\"", "\"aggregateversion\":\"-1\"", "The event has no aggregateversion.")]
    [InlineData("\"sequence\":\"0000000000000000042\"", "\"sequence\":42", "The event has no sequence.")]
    [InlineData("\"data\":", "\"datum\":", "The event has no data.")]
    public void What_is_not_an_event_of_ours_is_refused_with_its_reason(string part, string instead, string reason)
    {
        var json = Encoding.UTF8.GetString(Write(Sample));
        Assert.Contains(part, json, StringComparison.Ordinal);
        var broken = Encoding.UTF8.GetBytes(json.Replace(part, instead, StringComparison.Ordinal));
        Assert.Equal(reason, Assert.Throws<FormatException>(() => CloudEventJson.Read(broken)).Message);
    }

    [Fact]
    public void What_is_not_JSON_is_refused()
    {
        Assert.Equal("The event is not a JSON object.", Assert.Throws<FormatException>(() => CloudEventJson.Read("[]"u8.ToArray())).Message);
        Assert.ThrowsAny<JsonException>(() => CloudEventJson.Read("{\"id\":"u8.ToArray()));
        Assert.ThrowsAny<JsonException>(() => CloudEventJson.Read(ReadOnlyMemory<byte>.Empty));
    }

    [Fact]
    public void A_batch_is_cut_into_the_very_bytes_of_its_events()
    {
        var (one, other) = (Write(Sample), Write(Sample with { Sequence = 43 }));
        var events = CloudEventJson.Split((byte[])[.. "[ "u8, .. one, .. " ,\n"u8, .. other, .. "]"u8]);
        Assert.Equal([one, other], events.Select(e => e.ToArray()));
        Assert.Empty(CloudEventJson.Split("[]"u8.ToArray()));
        Assert.Throws<FormatException>(() => CloudEventJson.Split("{}"u8.ToArray()));
    }

    [Fact]
    public void An_event_that_has_no_place_in_its_topic_yet_tells_none() => Assert.DoesNotContain("sequence", Encoding.UTF8.GetString(Write(Sample with { Sequence = 0 })), StringComparison.Ordinal);

    private static byte[] Write(Envelope e)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes))
        {
            CloudEventJson.Write(json, "publishing", e);
        }

        return bytes.WrittenSpan.ToArray();
    }

    private static string Text(byte[] json, string attribute) => JsonDocument.Parse(json).RootElement.GetProperty(attribute).GetString()!;

    private static IEnumerable<CloudEventAttribute> DistributedTracing() => [CloudEventAttribute.CreateExtension("traceparent", CloudEventAttributeType.String)];
}

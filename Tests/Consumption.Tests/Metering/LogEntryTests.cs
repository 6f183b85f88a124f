using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

public sealed class LogEntryTests
{
    /// <summary>An outcome as the first release wrote it.</summary>
    private const string FirstOutcome =
        "ATp8mQEAAABwgAAAAAAAABA6fJkBAAAAcIAAAAAAAAABOnyZAQAAAHCAAAAAAAAAETp8mQEAAABwgAAAAAAAABI6fJkBAAAAcIAAAAAAAAATOnyZAQAAAHCAAAAAAAAAFAwAAABhY21lL2dyw7bDn2UQAAAAY2hhdC5jb21wbGV0aW9ucwPIAAAA"
        + "AwAAAAAAAAABAAAAAAAAAAcAAAAAAAAAAHsAAAAAAAAAAAAAAAAABwADAAAAVVNEDDAAAAAAAAABACCMEIp33giAtiQRinfeCAAAAAAARI9AAAAAAAAA+P/NJTUBARMAAAB7InByb21wdF90b2tlbnMiOjN9AwAAAPcBAAAAAAAAAAAA+D8A/////wEH"
        + "AAAAY29ubmVjdAAAAAAAANA/AMgAAAAAAAAAAAAACEABBgAAAHNlY29uZA==";

    [Fact]
    public void An_admission_is_read_as_it_was_written()
    {
        var admission = Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7());
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(admission);

        Assert.Equal(JsonSerializer.Serialize(admission), JsonSerializer.Serialize(LogEntry.ReadIntent(buffer.WrittenSpan)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("""{"prompt_tokens":3,"completion_tokens":7}""")]
    public void An_outcome_is_read_as_it_was_written_to_the_last_digit(string? told)
    {
        var record = Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()), RequestOutcome.Cut, 7, 0.0000000000000000000000000123m, told);
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(record);

        Assert.Equal(JsonSerializer.Serialize(record), JsonSerializer.Serialize(LogEntry.ReadOutcome(buffer.WrittenSpan)));
    }

    [Fact]
    public void Entries_that_an_earlier_release_wrote_are_read()
    {
        const string intent =
            "ATp8mQEAAABwgAAAAAAAABA6fJkBAAAAcIAAAAAAAAACOnyZAQAAAHCAAAAAAAAAAQAAAAAAAAAAOnyZAQAAAHCAAAAAAAAAETp8mQEAAABwgAAAAAAAABI6fJkBAAAAcIAAAAAAAAATOnyZAQAAAHCAAAAAAAAAFAwAAABhY21lL2dyw7bDn2UQ"
            + "AAAAY2hhdC5jb21wbGV0aW9ucwEAIIwQinfeCM0lNQFkAAAAAAAAAIgTAAAAAAAAAwAAAFVTRAAAAAAAAMA/";
        var admission = LogEntry.ReadIntent(Convert.FromBase64String(intent));
        var record = LogEntry.ReadOutcome(Convert.FromBase64String(FirstOutcome));

        Assert.Equal(("acme/größe", 0.125, null, null, 0), (admission.Service, admission.MicrosecondsPerToken, admission.ServiceVersion, admission.EndUser, admission.Tags.Count));
        Assert.Equal((RequestOutcome.Cut, 0.0000123m, "second", null, null, 0), (record.Outcome, record.Cost, record.Attempts[2].Endpoint, record.ServiceVersion, record.EndUser, record.Tags.Count));
    }

    [Fact]
    public void That_the_cache_answered_is_read_as_it_was_written_and_is_not_said_by_earlier_releases()
    {
        var record = Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()), RequestOutcome.Completed, 0, 0m, null, fromCache: true);
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(record);

        Assert.True(LogEntry.ReadOutcome(buffer.WrittenSpan).FromCache);
        Assert.False(LogEntry.ReadOutcome([3, .. buffer.WrittenSpan[1..^2]]).FromCache);
    }

    [Fact]
    public void That_a_reservation_was_exceeded_is_read_as_it_was_written_and_is_not_said_by_earlier_releases()
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()), fromCache: true, exceeded: true));

        var read = LogEntry.ReadOutcome(buffer.WrittenSpan);
        var earlier = LogEntry.ReadOutcome([4, .. buffer.WrittenSpan[1..^1]]);
        Assert.Equal((true, true, true, false), (read.FromCache, read.ExceededReservation, earlier.FromCache, earlier.ExceededReservation));
    }

    [Fact]
    public void An_outcome_of_the_second_release_is_read_it_had_attempts_without_credentials()
    {
        byte[] written = [2, .. Convert.FromBase64String(FirstOutcome).AsSpan(1), 1, 5, 0, 0, 0, .. "1.2.3"u8, 0, 1, 0, 0, 0, 1, 0, 0, 0, .. "a"u8, 1, 0, 0, 0, .. "b"u8];

        var record = LogEntry.ReadOutcome(written);

        Assert.Equal(("second", null), (record.Attempts[2].Endpoint, record.Attempts[2].Credential));
        Assert.Equal(("1.2.3", null, "b"), (record.ServiceVersion, record.EndUser, record.Tags["a"]));
    }

    [Fact]
    public void An_entry_of_another_version_is_refused()
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()));
        var payload = buffer.WrittenSpan.ToArray();
        payload[0] = 9;

        Assert.Contains("version 9", Assert.Throws<LogFormatException>(() => LogEntry.ReadIntent(payload)).Message, StringComparison.Ordinal);
    }
}

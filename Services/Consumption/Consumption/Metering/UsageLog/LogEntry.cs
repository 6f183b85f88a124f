using System.Buffers;
using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.Contracts;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>
/// The payloads of the log. The first byte is the version of what follows; a reader knows all that were ever written. Members stand in the order in which they are written
/// here; text is UTF-8 after its length, times are UTC ticks.
/// </summary>
internal static class LogEntry
{
    /// <summary>1: without whom the call was made for; 2: without the attempts' credentials; 3: without whether the cache answered; 4: without whether the reservation was exceeded.</summary>
    private const byte Version = 5;

    public static void Write(this IBufferWriter<byte> buffer, AdmissionRow row)
    {
        var to = new PayloadWriter(buffer);
        to.Byte(Version);
        to.Guid(row.RequestId);
        to.Guid(row.InstanceId);
        to.Guid(row.OrganisationId);
        to.Int64(row.Generation);
        to.Guid(row.KeyId);
        to.Guid(row.ListingId);
        to.Guid(row.VersionId);
        to.Guid(row.ProviderOrganisationId);
        to.Text(row.Service);
        to.Text(row.Operation);
        to.Flag(row.Streamed);
        to.Time(row.AdmittedAt);
        to.Int32(row.Day);
        to.Int64(row.ReservedTokens);
        to.Int64(row.ReservedNanos);
        to.Text(row.Currency);
        to.Double(row.MicrosecondsPerToken);
        Write(to, row.ServiceVersion, row.EndUser, row.Tags);
    }

    public static AdmissionRow ReadIntent(ReadOnlySpan<byte> payload)
    {
        var from = new PayloadReader(payload, Version);
        return new AdmissionRow
        {
            RequestId = from.Guid(),
            InstanceId = from.Guid(),
            OrganisationId = from.Guid(),
            Generation = from.Int64(),
            KeyId = from.Guid(),
            ListingId = from.Guid(),
            VersionId = from.Guid(),
            ProviderOrganisationId = from.Guid(),
            Service = from.Text(),
            Operation = from.Text(),
            Streamed = from.Flag(),
            AdmittedAt = from.Time(),
            Day = from.Int32(),
            ReservedTokens = from.Int64(),
            ReservedNanos = from.Int64(),
            Currency = from.Text(),
            MicrosecondsPerToken = from.Double(),
            ServiceVersion = from.Version < 2 ? null : from.OptionalText(),
            EndUser = from.Version < 2 ? null : from.OptionalText(),
            Tags = from.Version < 2 ? Tags.None : ReadTags(ref from),
        };
    }

    public static void Write(this IBufferWriter<byte> buffer, UsageRecord record)
    {
        var to = new PayloadWriter(buffer);
        to.Byte(Version);
        to.Guid(record.RequestId);
        to.Guid(record.OrganisationId);
        to.Guid(record.KeyId);
        to.Guid(record.ListingId);
        to.Guid(record.VersionId);
        to.Guid(record.ProviderOrganisationId);
        to.Text(record.Service);
        to.Text(record.Operation);
        to.Byte((byte)record.Outcome);
        to.Int32(record.StatusCode);
        to.Int64(record.InputTokens);
        to.Int64(record.CachedInputTokens);
        to.Int64(record.OutputTokens);
        to.Flag(record.UsageCounted);
        to.Decimal(record.Cost);
        to.Text(record.Currency);
        to.Int64(record.Nanos);
        to.Flag(record.Streamed);
        to.Time(record.AdmittedAt);
        to.Time(record.SettledAt);
        to.Double(record.LatencyMs);
        to.Double(record.FirstByteMs ?? double.NaN);
        to.Int32(record.Day);
        to.OptionalText(record.ProviderUsage);
        to.Int32(record.Attempts.Count);
        foreach (var attempt in record.Attempts)
        {
            to.Int32(attempt.Status ?? -1);
            to.OptionalText(attempt.Error);
            to.Double(attempt.Ms);
            to.OptionalText(attempt.Endpoint);
            to.OptionalText(attempt.Credential);
        }

        Write(to, record.ServiceVersion, record.EndUser, record.Tags);
        to.Flag(record.FromCache);
        to.Flag(record.ExceededReservation);
    }

    public static UsageRecord ReadOutcome(ReadOnlySpan<byte> payload)
    {
        var from = new PayloadReader(payload, Version);
        return new UsageRecord
        {
            RequestId = from.Guid(),
            OrganisationId = from.Guid(),
            KeyId = from.Guid(),
            ListingId = from.Guid(),
            VersionId = from.Guid(),
            ProviderOrganisationId = from.Guid(),
            Service = from.Text(),
            Operation = from.Text(),
            Outcome = (RequestOutcome)from.Byte(),
            StatusCode = from.Int32(),
            InputTokens = from.Int64(),
            CachedInputTokens = from.Int64(),
            OutputTokens = from.Int64(),
            UsageCounted = from.Flag(),
            Cost = from.Decimal(),
            Currency = from.Text(),
            Nanos = from.Int64(),
            Streamed = from.Flag(),
            AdmittedAt = from.Time(),
            SettledAt = from.Time(),
            LatencyMs = from.Double(),
            FirstByteMs = from.Double() is var ms && double.IsNaN(ms) ? null : ms,
            Day = from.Int32(),
            ProviderUsage = from.OptionalText(),
            Attempts = ReadAttempts(ref from),
            ServiceVersion = from.Version < 2 ? null : from.OptionalText(),
            EndUser = from.Version < 2 ? null : from.OptionalText(),
            Tags = from.Version < 2 ? Tags.None : ReadTags(ref from),
            FromCache = from.Version >= 4 && from.Flag(),
            ExceededReservation = from.Version >= 5 && from.Flag(),
        };
    }

    private static void Write(PayloadWriter to, string? serviceVersion, string? endUser, IReadOnlyDictionary<string, string> tags)
    {
        to.OptionalText(serviceVersion);
        to.OptionalText(endUser);
        to.Int32(tags.Count);
        foreach (var (name, value) in tags)
        {
            to.Text(name);
            to.Text(value);
        }
    }

    private static IReadOnlyDictionary<string, string> ReadTags(ref PayloadReader from)
    {
        var count = from.Int32();
        if (count == 0)
        {
            return Tags.None;
        }

        var tags = new Dictionary<string, string>(count, StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            tags.Add(from.Text(), from.Text());
        }

        return tags;
    }

    private static Attempt[] ReadAttempts(ref PayloadReader from)
    {
        var attempts = new Attempt[from.Int32()];
        for (var i = 0; i < attempts.Length; i++)
        {
            attempts[i] = new Attempt(from.Int32() is var status && status < 0 ? null : status, from.OptionalText(), from.Double(), from.OptionalText(), from.Version < 3 ? null : from.OptionalText());
        }

        return attempts;
    }
}

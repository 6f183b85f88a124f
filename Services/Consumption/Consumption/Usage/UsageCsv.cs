using System.Globalization;
using System.Text;
using CsvHelper;
using CsvHelper.Configuration;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace LlmMarketplace.Consumption.Usage;

/// <summary>
/// Usage as CSV (RFC 4180), written as it is read. Tags and end users are what callers made up, and a spreadsheet takes a text that begins with <c>= + - @</c>, a tab or a return for a formula:
/// such a text is given an apostrophe before it, as OWASP advises.
/// </summary>
internal static class UsageCsv
{
    public const string MediaType = "text/csv; charset=utf-8";

    private static readonly CsvConfiguration Format = new(CultureInfo.InvariantCulture) { InjectionOptions = InjectionOptions.Escape, NewLine = "\r\n" };

    public static bool IsAskedFor(HttpRequest request) =>
        MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted) && Quality(accepted, "text/csv") > Quality(accepted, "application/json");

    private static double Quality(IEnumerable<MediaTypeHeaderValue> accepted, string type) =>
        accepted.Where(one => one.MatchesMediaType(type)).Select(one => one.Quality ?? 1).DefaultIfEmpty(0).Max();

    public static async Task WriteAsync(Stream to, UsageGroup group, IAsyncEnumerable<GetUsage.Item> items, CancellationToken cancellationToken)
    {
        var text = new StreamWriter(to, new UTF8Encoding(false), leaveOpen: true);
        await using (text)
        {
            var csv = new CsvWriter(text, Format, leaveOpen: true);
            await using (csv)
            {
                foreach (var column in (string[])[group.Name, "calls", "completed", "inputTokens", "cachedInputTokens", "outputTokens", "cost", "currency"])
                {
                    csv.WriteField(column);
                }

                await csv.NextRecordAsync();
                await foreach (var item in items.WithCancellation(cancellationToken))
                {
                    csv.WriteField(Name(item));
                    csv.WriteField(item.Calls);
                    csv.WriteField(item.Completed);
                    csv.WriteField(item.InputTokens);
                    csv.WriteField(item.CachedInputTokens);
                    csv.WriteField(item.OutputTokens);
                    csv.WriteField(item.Cost);
                    csv.WriteField("USD");
                    await csv.NextRecordAsync();
                }
            }
        }
    }

    private static string? Name(GetUsage.Item item) =>
        item.Day?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? item.Service ?? item.Key?.ToString() ?? item.Model ?? item.Tag ?? item.EndUser
        ?? (item.Outcome is { } outcome ? UsageOutcomes.NameOf(outcome) : null);
}

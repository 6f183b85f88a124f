using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>PUT /api/v1/call-logging</c>: switches logging on for the caller's organisation, or changes it. Holds in every instance within a second, for calls that begin from then on.</summary>
internal static class PutCallLogging
{
    /// <param name="DaysKept">How long a logged call is kept, in days: 1 to 90; 30 when it is not said.</param>
    /// <param name="Share">Which share of the calls is logged, 0 to 1; all when it is not said.</param>
    /// <param name="Services">Calls of which services are logged, as <c>provider/service</c>; of all when none is named.</param>
    /// <param name="Patterns">What is redacted besides what always is: at most 20 regular expressions of at most 500 characters, without look-around and back references.</param>
    internal sealed record Request(int? DaysKept, double? Share, IReadOnlyList<string>? Services, IReadOnlyList<string>? Patterns);

    public static void Map(IEndpointRouteBuilder logging) => logging.MapPut("/", HandleAsync).WithName("PutCallLogging").WithSummary("Log the organisation's calls, redacted");

    private static async Task<Results<Ok<LoggingSetting>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var setting = new LoggingSetting(
            request.DaysKept ?? LoggingRules.DefaultDays, request.Share ?? 1, request.Services ?? [], request.Patterns ?? [], caller.Subject(), time.GetUtcNow());
        if (LoggingRules.Check(setting.DaysKept, setting.Share, setting.Services, setting.Patterns).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO call_logging_settings (organisation_id, days_kept, share, services, patterns, changed_by, changed_at)
             VALUES ({caller.OrganisationId()}, {setting.DaysKept}, {setting.Share}, {setting.Services.ToArray()}, {setting.Patterns.ToArray()}, {setting.ChangedBy}, {setting.ChangedAt})
             ON CONFLICT (organisation_id) DO UPDATE SET days_kept = excluded.days_kept, share = excluded.share, services = excluded.services, patterns = excluded.patterns,
                 changed_by = excluded.changed_by, changed_at = excluded.changed_at
             """,
            cancellationToken);
        return TypedResults.Ok(setting);
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Messaging.DeadLetters;

/// <summary><c>/api/v1/operations/{service}/dead-letters</c>, for administrators.</summary>
internal static class DeadLetterEndpoints
{
    private const string Administrator = "admin";

    public static void MapDeadLetters(this IEndpointRouteBuilder app, string service)
    {
        var group = app.MapGroup($"/api/v1/operations/{service}/dead-letters")
            .RequireAuthorization()
            .RequireAuthorization(policy => policy.RequireRole(Administrator))
            .WithTags("Operations");
        group.MapListDeadLetters();
        group.MapRetryDeadLetter();
    }
}

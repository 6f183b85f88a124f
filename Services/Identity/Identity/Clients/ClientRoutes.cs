using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Clients;

internal static class ClientRoutes
{
    public static void MapClients(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/clients").WithTags("Clients").RequireStanding();
        group.MapPost("/", CreateClient.HandleAsync).WithName("CreateClient");
        group.MapGet("/", ListClients.HandleAsync).WithName("ListClients");
        group.MapPost("/{id}/secret", RotateClientSecret.HandleAsync).WithName("RotateClientSecret");
        group.MapDelete("/{id}", DeleteClient.HandleAsync).WithName("DeleteClient");
    }
}

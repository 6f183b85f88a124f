using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Memberships;

namespace LlmMarketplace.Identity.Users;

internal static class UserRoutes
{
    public static void MapUsers(this IEndpointRouteBuilder app)
    {
        var readers = app.MapGroup("/api/v1/users").WithTags("Users").RequireStanding(Roles.Admin, Roles.Auditor);
        readers.MapGet("/", ListUsers.HandleAsync).WithName("ListUsers");
        readers.MapGet("/{id:guid}", GetUser.HandleAsync).WithName("GetUser");

        var administrators = app.MapGroup("/api/v1/users").WithTags("Users").RequireStanding(Roles.Admin);
        administrators.MapPost("/", CreateUser.HandleAsync).WithName("CreateUser");
        administrators.MapPatch("/{id:guid}", ChangeUser.HandleAsync).WithName("ChangeUser");
        administrators.MapPost("/{id:guid}/password", ResetPassword.HandleAsync).WithName("ResetPassword");
        administrators.MapPut("/{id:guid}/memberships/{organisationId:guid}", PutMembership.HandleAsync).WithName("PutMembership");
        administrators.MapDelete("/{id:guid}/memberships/{organisationId:guid}", DeleteMembership.HandleAsync).WithName("DeleteMembership");

        var self = app.MapGroup("/api/v1/me").WithTags("Users").RequireStanding();
        self.MapGet("/", GetMe.HandleAsync).WithName("GetMe");
        self.MapPost("/password", ChangeOwnPassword.HandleAsync).WithName("ChangeOwnPassword");
    }
}

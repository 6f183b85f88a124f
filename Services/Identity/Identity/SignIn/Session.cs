using System.Globalization;
using System.Security.Claims;
using LlmMarketplace.Identity.Users;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>The session of a browser at the sign-in page: a cookie that only Identity reads. It ends with a new password or a lock.</summary>
internal sealed class Session(IdentityDb db, TimeProvider time)
{
    public const string Scheme = "marketplace-session";
    private const string StampClaim = "stamp";
    private const string SinceClaim = "since";
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(8);

    public static void Configure(CookieAuthenticationOptions cookie)
    {
        cookie.Cookie.Name = "marketplace-session";
        cookie.Cookie.HttpOnly = true;
        cookie.Cookie.IsEssential = true;
        cookie.Cookie.SameSite = SameSiteMode.Lax; // Clients send people here by a link.
        cookie.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest; // The request has the public address's scheme.
        cookie.ExpireTimeSpan = Lifetime;
        cookie.SlidingExpiration = false;
    }

    public Task BeginAsync(HttpContext context, User user) => context.SignInAsync(
        Scheme,
        new ClaimsPrincipal(new ClaimsIdentity(
            [
                new(MarketplaceTokens.SubjectClaim, user.Id.ToString()),
                new(StampClaim, user.SecurityStamp ?? ""),
                new(SinceClaim, time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
            ],
            Scheme)));

    /// <summary>Who is signed in, or null.</summary>
    public async Task<SignedIn?> ReadAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var cookie = await context.AuthenticateAsync(Scheme).ConfigureAwait(false);
        if (cookie.Principal is not { } principal || !Guid.TryParse(principal.FindFirstValue(MarketplaceTokens.SubjectClaim), out var id))
        {
            return null;
        }

        var user = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == id && u.LockedAt == null, cancellationToken).ConfigureAwait(false);
        return user is not null
            && user.SecurityStamp == principal.FindFirstValue(StampClaim)
            && long.TryParse(principal.FindFirstValue(SinceClaim), CultureInfo.InvariantCulture, out var since)
            ? new(user, DateTimeOffset.FromUnixTimeSeconds(since))
            : null;
    }
}

/// <summary>Who is signed in, and since when.</summary>
internal sealed record SignedIn(User User, DateTimeOffset Since);
